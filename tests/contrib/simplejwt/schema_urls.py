"""What the schema is made of: the views of the tokens, and one that needs a token."""

from django.urls import include, path
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework_simplejwt.authentication import JWTAuthentication as SimpleJWTAuthentication

from live_single_session.contrib.simplejwt import (
    JWTAuthentication,
    TokenObtainPairSerializer,
    TokenObtainPairView,
)


class MeSerializer(serializers.Serializer):
    user = serializers.CharField()


class Me(GenericAPIView):
    serializer_class = MeSerializer

    def get(self, request):
        raise NotImplementedError


class CompanySerializer(TokenObtainPairSerializer):
    company = serializers.CharField(write_only=True)


class CompanyView(TokenObtainPairView):
    """Signs somebody in who works for a company."""

    serializer_class = CompanySerializer


urlpatterns = [
    path("api/", include("live_single_session.contrib.simplejwt.urls")),
    path("api/company/token/", CompanyView.as_view()),
    path("api/me/", Me.as_view(authentication_classes=[JWTAuthentication])),
    path("api/simplejwt/me/", Me.as_view(authentication_classes=[SimpleJWTAuthentication])),
]
