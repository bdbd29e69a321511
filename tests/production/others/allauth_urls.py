from django.urls import include, path

from tests.urls import urlpatterns as own

urlpatterns = [path("auth/", include("allauth.urls")), *own]
