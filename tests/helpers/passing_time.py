"""Lets time pass for the sessions of a test, without waiting for it."""

from datetime import timedelta

from django.db.models import F

from live_single_session.models import UserSession
from live_single_session.registry import uses

TIMES = ("started_at", "last_seen_at", "ends_at", "expires_at")


class PassingTime:
    """The database's time, and this process's own clock, seen from the sessions.

    What was recorded is moved into the past: to the registry it looks as if time had passed.
    """

    def __init__(self, monkeypatch):
        self._passed = 0.0
        now = uses.time.monotonic

        class Time:
            @staticmethod
            def monotonic():
                return now() + self._passed

        monkeypatch.setattr(uses, "time", Time)
        uses.memory.clear()

    def __call__(self, seconds):
        """Let so many seconds pass."""
        self._passed += seconds
        past = {name: F(name) - timedelta(seconds=seconds) for name in TIMES}
        UserSession.objects.live().update(**past)
