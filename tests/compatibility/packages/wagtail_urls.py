"""The test site, with the pages of Wagtail's editors."""

from django.urls import include, path

from tests.urls import urlpatterns as own

urlpatterns = [path("cms/", include("wagtail.admin.urls")), *own]
