"""The test site, with the pages of allauth."""

from django.urls import include, path

from tests.urls import urlpatterns as own

urlpatterns = [path("auth/", include("allauth.urls")), *own]
