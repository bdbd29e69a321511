"""The demo's pages, and one that says whether this node can serve."""

from django.db import connection
from django.http import HttpResponse
from django.urls import include, path


def healthz(request):
    """Say whether this node can serve: it can without Redis, but not without the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("healthz/", healthz),
    path("", include("demo.urls")),
]
