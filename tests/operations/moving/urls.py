"""The test site's JSON, and the pages of this package where it is installed."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.http import JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from tests.site import views


@csrf_exempt
@login_required
def delete_me(request):
    request.user.delete()
    return JsonResponse({})


urlpatterns = [
    path("delete-me/", delete_me),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("admin/", admin.site.urls),
    path("async/whoami/", views.whoami),
    path("async/api/login/", views.login),
    path("api/logout/", views.logout),
    path("password/", views.password),
]
if "live_single_session" in settings.INSTALLED_APPS:
    urlpatterns.append(path("session/", include("live_single_session.urls")))
