"""Views of a site whose sessions end while they are at work."""

from datetime import timedelta

from django.contrib import auth
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt

from live_single_session.registry import db, engine
from tests.site import views
from tests.site.gate import gate_of


@login_required
def rotate_slowly(request):
    """Held between the new key and the answer that brings it to the browser."""
    request.session.cycle_key()
    gate_of(request).pass_through()
    return JsonResponse({"user": request.user.get_username()})


@login_required
async def arotate_slowly(request):
    user = await request.auser()
    await request.session.acycle_key()
    await gate_of(request).apass_through()
    return JsonResponse({"user": user.get_username()})


@login_required
def rotate_later(request):
    """Held before it gives its session a new key."""
    name = request.user.get_username()
    gate_of(request).pass_through()
    request.session.cycle_key()
    return JsonResponse({"user": name})


@login_required
async def arotate_later(request):
    user = await request.auser()
    await gate_of(request).apass_through()
    await request.session.acycle_key()
    return JsonResponse({"user": user.get_username()})


@login_required
def save_slowly(request):
    """Saves its session itself, once it is let through."""
    gate_of(request).pass_through()
    request.session["slow"] = "was here"
    request.session.save()
    return JsonResponse({"user": request.user.get_username()})


@login_required
async def asave_slowly(request):
    user = await request.auser()
    await gate_of(request).apass_through()
    await request.session.aset("slow", "was here")
    await request.session.asave()
    return JsonResponse({"user": user.get_username()})


def whoami_slowly(request):
    """Held before it looks at its session."""
    gate_of(request).pass_through()
    return views.whoami(request)


@csrf_exempt
def flush(request):
    """Signs out without telling anybody."""
    assert request.user is not None
    request.user.is_authenticated  # noqa: B018 - it loads the user
    request.session.flush()
    return JsonResponse({"user": None})


@csrf_exempt
def remember(request):
    """Signs in for longer than the site's sessions last, or for less."""
    response = views.login(request)
    request.session.set_expiry(timedelta(days=int(request.GET["days"])))
    return response


def sessions_in_headers(get_response):
    """A middleware for apps that keep no cookies: the session's key is in a header."""

    def middleware(request):
        key = request.headers.get("X-Session")
        if key is None:
            return get_response(request)
        request.session = engine.store_class()(key)
        request.user = auth.get_user(request)
        response = get_response(request)
        if request.session.modified:
            request.session.save()
        response["X-Session"] = request.session.session_key or ""
        return response

    return middleware


@csrf_exempt
def login_and_undo(request):
    """Signs in, undoes what it wrote, and answers as if nothing had happened."""
    using = db.database()
    with transaction.atomic(using=using):
        views.login(request)
        transaction.set_rollback(True, using=using)
    return JsonResponse({"user": auth.get_user(request).get_username() or None})
