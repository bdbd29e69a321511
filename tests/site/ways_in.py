"""The test site, with more ways in: a second factor, a single sign-on, a magic link."""

from django.contrib import auth
from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from live_single_session.registry import LoginRefused
from tests import urls

BACKEND = "django.contrib.auth.backends.ModelBackend"


def first_factor(request):
    """The password was right; the code comes next."""
    user = auth.authenticate(request, **request.POST.dict())
    request.session["first_factor"] = user.pk
    return HttpResponse("Now the code")


def second_factor(request):
    user = get_user_model().objects.get(pk=request.session.pop("first_factor"))
    request.session["device"] = "authenticator"
    auth.login(request, user, backend=BACKEND)
    return HttpResponseRedirect("/private/")


def device(request):
    return JsonResponse({"device": request.session.get("device")})


def sso_start(request):
    """A login page without a form: straight to the identity provider, and back."""
    return HttpResponseRedirect("/sso/callback/")


@csrf_exempt
def sso_callback(request):
    auth.login(request, get_user_model().objects.get(username="alice"), backend=BACKEND)
    return HttpResponseRedirect("/private/")


@csrf_exempt
def own_answer(request):
    """A view that catches the refusal itself."""
    user = get_user_model().objects.get(username="alice")
    try:
        auth.login(request, user, backend=BACKEND)
    except LoginRefused as refused:
        return JsonResponse({"user": request.user.pk, "live": len(refused.live)}, status=423)
    return JsonResponse({"user": user.pk})


urlpatterns = [
    *urls.urlpatterns,
    path("staff-login/", LoginView.as_view(next_page="/whoami/")),
    path("first-factor/", first_factor),
    path("second-factor/", second_factor),
    path("device/", device),
    path("sso/start/", sso_start),
    path("sso/callback/", sso_callback),
    path("own-answer/", own_answer),
]
