"""The URLs of the tokens, to be included where a site wants them."""

from django.urls import path

from live_single_session.contrib.simplejwt import views

urlpatterns = [
    path("token/", views.TokenObtainPairView.as_view(), name="token_obtain_pair"),
    path("token/refresh/", views.TokenRefreshView.as_view(), name="token_refresh"),
    path("token/verify/", views.TokenVerifyView.as_view(), name="token_verify"),
    path("token/logout/", views.TokenLogoutView.as_view(), name="token_logout"),
]
