"""The addresses under ``session/``."""

from django.urls import path

from live_single_session import views

app_name = "live_single_session"

urlpatterns = [
    path("status/", views.status, name="status"),
]
