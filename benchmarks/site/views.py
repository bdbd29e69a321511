"""Views that do as little as they can."""

import json

from django.contrib import auth
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt


def public(request):
    return HttpResponse("Nobody asks who you are.")


def private(request):
    return JsonResponse({"user": request.user.get_username()})


async def aprivate(request):
    user = await request.auser()
    return JsonResponse({"user": user.get_username()})


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
