"""The URLs under ``session/``."""

from django.urls import path

from live_single_session import views
from live_single_session.http import choose, naming, status

app_name = "live_single_session"

urlpatterns = [
    path("", views.sessions, name="sessions"),
    path("end-others/", views.end_others, name="end_others"),
    path("<uuid:session_id>/end/", views.end, name="end"),
    path("status/", status.status, name="status"),
    path("active/", status.active, name="active"),
    path("<uuid:session_id>/name/", naming.name_device, name="name_device"),
    path("choose/", choose.choose, name="choose"),
]
