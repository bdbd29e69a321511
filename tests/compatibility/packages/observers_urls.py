"""The test site, with the pages of those who look on, and a view that fails."""

from debug_toolbar.toolbar import debug_toolbar_urls
from django.contrib.auth.decorators import login_required
from django.urls import include, path

from tests.urls import urlpatterns as site


@login_required
def failing(request):
    raise RuntimeError("a view that fails")


urlpatterns = [
    path("failing/", failing),
    path("silk/", include("silk.urls", namespace="silk")),
    *debug_toolbar_urls(),
    path("", include(site)),
]
