"""The demo's pages, with those of live_single_session among them."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from demo import views

urlpatterns = [
    path("", views.home, name="home"),
    path("notes/", views.notes, name="notes"),
    path("login/", views.DemoLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password-reset/", views.DemoPasswordResetView.as_view(), name="password_reset"),
    path("password-reset/mail/", views.mail_that_was_sent, name="password_reset_done"),
    path(
        "password-reset/<uidb64>/<token>/",
        views.DemoPasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path("session/", include("live_single_session.urls")),
    path("admin/", admin.site.urls),
    *staticfiles_urlpatterns(),
]
