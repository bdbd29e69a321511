"""The test site, and its metrics, health and what docs/operations.md adds."""

from django.http import HttpResponse
from django.urls import path
from prometheus_client import generate_latest

from live_single_session import health
from tests.urls import urlpatterns as site_urlpatterns

urlpatterns = [
    *site_urlpatterns,
    path("metrics/", lambda request: HttpResponse(generate_latest(), "text/plain")),
    path("health/", health.view),
]
