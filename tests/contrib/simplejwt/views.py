"""An API that says who asks, as somebody would write it with Django REST framework."""

import asyncio

from django.contrib.auth import get_user_model
from django.http import StreamingHttpResponse
from rest_framework.authentication import (
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt import authentication as simplejwt

from live_single_session.contrib.simplejwt import (
    IsLiveSession,
    JWTAuthentication,
    answer_refusal,
    sign_in,
)
from live_single_session.registry import LoginRefused


class Me(APIView):
    """Who is it?"""

    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username()})


by_token = Me.as_view(authentication_classes=[JWTAuthentication])
by_simplejwt = Me.as_view(authentication_classes=[simplejwt.JWTAuthentication])
by_session = Me.as_view(authentication_classes=[SessionAuthentication])
by_either = Me.as_view(authentication_classes=[SessionAuthentication, JWTAuthentication])
by_authtoken = Me.as_view(authentication_classes=[TokenAuthentication])
by_stateless = Me.as_view(
    authentication_classes=[simplejwt.JWTStatelessUserAuthentication],
    permission_classes=[IsLiveSession],
)
by_permission = Me.as_view(
    authentication_classes=[
        simplejwt.JWTAuthentication,
        SessionAuthentication,
        BasicAuthentication,
    ],
    permission_classes=[IsLiveSession],
)


class SetPassword(APIView):
    authentication_classes = [JWTAuthentication]
    permission_classes = [IsAuthenticated]

    def post(self, request):
        request.user.set_password(request.data["password"])
        request.user.save()
        return Response({})


set_password = SetPassword.as_view()


class SignUp(APIView):
    """Signs somebody in without a password, as a site does after a registration."""

    authentication_classes = []

    def post(self, request):
        user = get_user_model().objects.get(username=request.data["username"])
        try:
            return Response(sign_in(user, request, take_over=request.data.get("take_over")))
        except LoginRefused as refused:
            return answer_refusal(request, refused)


sign_up = SignUp.as_view()


class Stream(APIView):
    authentication_classes = [JWTAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return StreamingHttpResponse(ticks(), content_type="text/event-stream")


async def ticks():
    while True:
        yield "data: tick\n\n"
        await asyncio.sleep(0.05)


stream = Stream.as_view()
