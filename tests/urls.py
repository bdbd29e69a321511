"""The pages of the test site; those of live_single_session are under session/."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.contrib.staticfiles.views import serve
from django.urls import include, path

from tests.site import views

urlpatterns = [
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("session/", include("live_single_session.urls")),
    path("whoami/", views.whoami),
    path("private/", views.private),
    path("api/private/", views.private_api),
    path("api/login/", views.login),
    path("api/login-and-fail/", views.login_and_fail),
    path("api/logout/", views.logout),
    path("slow/", views.slow),
    path("rotate/", views.rotate),
    path("password/", views.password),
    path("async/whoami/", views.awhoami),
    path("async/private/", views.aprivate),
    path("async/api/private/", views.aprivate_api),
    path("async/api/login/", views.alogin),
    path("async/api/logout/", views.alogout),
    path("async/slow/", views.aslow),
    path("async/rotate/", views.arotate),
    path("async/password/", views.apassword),
    path("stream/", views.stream),
    path("static/<path:path>", serve, {"insecure": True}),
]
