"""What a site's views may do to a session, each as a sync and as an async twin."""

from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt


def create(request):
    """A new key, by other means than cycle_key()."""
    if request.user.is_authenticated:
        request.session.create()
    return JsonResponse({})


async def acreate(request):
    if (await request.auser()).is_authenticated:
        await request.session.acreate()
    return JsonResponse({})


def save(request):
    if request.user.is_authenticated:
        request.session["saved"] = "by a view"
    return JsonResponse({})


async def asave(request):
    if (await request.auser()).is_authenticated:
        await request.session.aset("saved", "by a view")
    return JsonResponse({})


@csrf_exempt
def flush(request):
    if request.user.is_authenticated:
        request.session.flush()
    return JsonResponse({})


@csrf_exempt
async def aflush(request):
    if (await request.auser()).is_authenticated:
        await request.session.aflush()
    return JsonResponse({})
