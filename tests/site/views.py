"""Views of an ordinary site, each as a sync and as an async twin."""

import asyncio
import json

from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.http import HttpResponseForbidden, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from tests.site.gate import gate_of

# Who is it?


def whoami(request):
    return JsonResponse({"user": _name_of(request.user)})


async def awhoami(request):
    return JsonResponse({"user": _name_of(await request.auser())})


def _name_of(user):
    return user.get_username() if user.is_authenticated else None


# Pages and data for those who are signed in


@login_required
def private(request):
    return render(request, "private.html")


@login_required
async def aprivate(request):
    return await sync_to_async(render)(request, "private.html")  # it asks for the user


def private_api(request):
    return _api_answer(request.user)


async def aprivate_api(request):
    return _api_answer(await request.auser())


def _api_answer(user):
    if not user.is_authenticated:
        return JsonResponse({"detail": "Sign in first."}, status=401)
    return JsonResponse({"user": _name_of(user), "secret": 42})


# A request that is held at the gate named ?gate= and then writes to its session


@login_required
def slow(request):
    gate_of(request).pass_through()
    request.session["slow"] = "was here"
    return JsonResponse({"user": _name_of(request.user)})


@login_required
async def aslow(request):
    user = await request.auser()
    await gate_of(request).apass_through()
    await request.session.aset("slow", "was here")
    return JsonResponse({"user": _name_of(user)})


# The session's key changes


@login_required
def rotate(request):
    request.session.cycle_key()
    return JsonResponse({"user": _name_of(request.user)})


@login_required
async def arotate(request):
    await request.session.acycle_key()
    return JsonResponse({"user": _name_of(await request.auser())})


@csrf_exempt
@login_required
def password(request):
    user = request.user
    user.set_password(_posted(request)["password"])
    user.save()
    auth.update_session_auth_hash(request, user)
    return JsonResponse({"user": _name_of(user)})


@csrf_exempt
@login_required
async def apassword(request):
    user = await request.auser()
    user.set_password(_posted(request)["password"])
    await user.asave()
    request.user = user  # aupdate_session_auth_hash compares it without awaiting it
    await auth.aupdate_session_auth_hash(request, user)
    return JsonResponse({"user": _name_of(user)})


# Signing in and out with JSON


@csrf_exempt
def login(request):
    user = auth.authenticate(request, **_posted(request))
    if user is None:
        return HttpResponseForbidden()
    auth.login(request, user)
    return JsonResponse({"user": _name_of(user)})


@csrf_exempt
async def alogin(request):
    user = await auth.aauthenticate(request, **_posted(request))
    if user is None:
        return HttpResponseForbidden()
    await auth.alogin(request, user)
    return JsonResponse({"user": _name_of(user)})


@csrf_exempt
def login_and_fail(request):
    """What a view does that signs in and then breaks: with ATOMIC_REQUESTS, a rollback."""
    login(request)
    raise RuntimeError("broken after the login")


@csrf_exempt
def logout(request):
    auth.logout(request)
    return JsonResponse({"user": None})


@csrf_exempt
async def alogout(request):
    await auth.alogout(request)
    return JsonResponse({"user": None})


def _posted(request):
    return json.loads(request.body)


# A stream that ends only when somebody ends it


@login_required
async def stream(request):
    return StreamingHttpResponse(_ticks(), content_type="text/event-stream")


async def _ticks():
    number = 0
    while True:
        yield f"data: {number}\n\n"
        number += 1
        await asyncio.sleep(0.05)
