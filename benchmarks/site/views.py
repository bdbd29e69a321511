"""Views that do as little as they can."""

import json

from django.contrib import auth
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt


def public(request):
    return HttpResponse("Nobody asks who you are.")


def private(request):
    return JsonResponse({"user": _name_of(request.user)})


async def aprivate(request):
    return JsonResponse({"user": _name_of(await request.auser())})


def _name_of(user):
    assert user.is_authenticated  # a page for nobody costs less
    return user.get_username()


@csrf_exempt
def login(request):
    user = auth.authenticate(request, **json.loads(request.body))
    auth.login(request, user)
    return JsonResponse({})


@csrf_exempt
async def alogin(request):
    user = await auth.aauthenticate(request, **json.loads(request.body))
    await auth.alogin(request, user)
    return JsonResponse({})
