"""Somebody's session engine that is not behind the fence."""

from django.contrib.sessions.backends.db import SessionStore as DjangoStore


class SessionStore(DjangoStore):
    pass
