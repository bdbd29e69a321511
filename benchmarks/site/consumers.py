"""What a developer would write without the package."""

import json

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.contrib.auth.signals import user_logged_in


class Bare(AsyncWebsocketConsumer):
    """Joins its user's group, and passes on what is sent to it."""

    async def connect(self):
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.accept()
            await self.close(4003)
            return
        self.group = f"user-{user.pk}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send(json.dumps({"type": "session.ready", "session": ""}))

    async def disconnect(self, code):
        if hasattr(self, "group"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def session_ended(self, event):
        await self.send(json.dumps({"type": "session.ended", "at": event["at"]}))


class Room(AsyncWebsocketConsumer):
    """Somebody's own consumer, which says hello and then has nothing to say."""

    async def connect(self):
        await self.accept()
        await self.send(json.dumps({"type": "session.ready", "session": ""}))


class tell_group:  # noqa: N801
    @staticmethod
    def connect():
        user_logged_in.connect(tell_group.tell, dispatch_uid="bare", weak=False)

    @staticmethod
    def tell(user, **kwargs):
        message = {"type": "session_ended", "at": "2026-01-01T00:00:00Z"}
        async_to_sync(get_channel_layer().group_send)(f"user-{user.pk}", message)
