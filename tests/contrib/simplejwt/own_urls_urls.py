"""The token views of simplejwt, djoser and dj-rest-auth, and one that asks who it is."""

import os

from django.urls import include, path
from rest_framework_simplejwt import views

from tests.contrib.simplejwt.own_urls import block_with
from tests.contrib.simplejwt.views import Me
from tests.urls import urlpatterns as site_urlpatterns

own = []
if "HINDERED" not in os.environ:
    exec(block_with("class SessionRefreshSerializer").replace("...,", ""))
    own, urlpatterns = urlpatterns, []  # noqa: F821 - the page's
else:
    own = [path("auth/", include("dj_rest_auth.urls"))]

urlpatterns = [
    *site_urlpatterns,
    path("simplejwt/token/", views.TokenObtainPairView.as_view()),
    path("simplejwt/refresh/", views.TokenRefreshView.as_view()),
    path("djoser/", include("djoser.urls.jwt")),
    *own,
    path("me/", Me.as_view()),
]
