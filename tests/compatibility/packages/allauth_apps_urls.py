"""The test site, with the pages and the API of allauth."""

from django.urls import include, path

from tests.compatibility.packages.allauth_urls import urlpatterns as pages

urlpatterns = [path("_allauth/", include("allauth.headless.urls")), *pages]
