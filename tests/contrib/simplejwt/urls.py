"""The API of the test site, with its views once for each way of signing in."""

from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token

from tests.contrib.simplejwt import views
from tests.urls import urlpatterns as site_urlpatterns

urlpatterns = [
    *site_urlpatterns,
    path("api/", include("live_single_session.contrib.simplejwt.urls")),
    path("api/me/", views.by_token),
    path("api/simplejwt/me/", views.by_simplejwt),
    path("api/permitted/me/", views.by_permission),
    path("api/stateless/me/", views.by_stateless),
    path("api/session/me/", views.by_session),
    path("api/either/me/", views.by_either),
    path("api/authtoken/me/", views.by_authtoken),
    path("api/authtoken/", obtain_auth_token),
    path("api/password/", views.set_password),
    path("api/sign-up/", views.sign_up),
    path("api/stream/", views.stream),
    path("api/browse/", include("rest_framework.urls")),
]
