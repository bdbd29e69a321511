"""Websockets of somebody who has never heard of live_single_session."""

from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from django.utils import timezone


class ChatConsumer(AsyncWebsocketConsumer):
    """Says everything back."""

    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)


class ClockConsumer(WebsocketConsumer):
    """Says what time it is, when asked."""

    def receive(self, text_data=None, bytes_data=None):
        self.send(text_data=timezone.now().isoformat())
