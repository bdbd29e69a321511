"""A site in this process: its sessions as they are before two operations, and its browsers."""

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.db import connections
from django.test import AsyncClient, Client
from django.utils import timezone

from live_single_session.models import (
    FINGERPRINT_KEY,
    INSTALLATION_KEY,
    SESSION_ID_KEY,
    UserSession,
)
from live_single_session.registry import engine, uses
from tests.explore.steps import wait_for_turn
from tests.site.people import credentials

OURS = (SESSION_ID_KEY, INSTALLATION_KEY, FINGERPRINT_KEY)


@dataclass(frozen=True)
class Site:
    """How a site is set up."""

    engine: str
    is_async: bool
    is_atomic: bool
    limit: int

    def __str__(self) -> str:
        way = "async" if self.is_async else "sync"
        atomic = ", ATOMIC_REQUESTS" if self.is_atomic else ""
        return f"{self.engine}, {way}, limit {self.limit}{atomic}"

    def use(self, *, records_use: bool = False) -> None:
        settings.SESSION_ENGINE = f"live_single_session.backends.{self.engine}"
        policy = {"LIMIT": self.limit, "ACTIVITY_SECONDS": 60 if records_use else None}
        settings.LIVE_SINGLE_SESSION = policy
        connections.settings["default"]["ATOMIC_REQUESTS"] = self.is_atomic


class World:
    """One user with a browser, whose session is the user's newest, and others before it.

    Attributes:
        key: the cookie of that browser.
        session_id: the id of its row.
        answers: what was answered, in this order.
        cookies: what the answers have made of the browser's cookie: None where deleted.
    """

    def __init__(self, site: Site, *, is_registered: bool = True) -> None:
        self.site, self.is_registered = site, is_registered
        self.alice = get_user_model().objects.get(username="alice")
        self._lock = Lock()
        self._empty()
        for _ in range(site.limit + 1):
            self.key = self.sign_in_elsewhere()
        self.session_id = UserSession.objects.get(session_key=self.key).pk
        if not is_registered:
            self._make_older_than_installation()
        self._sessions = list(Session.objects.all())
        self._rows = list(UserSession.objects.order_by("-serial"))
        self._cache = dict(caches["default"]._cache), dict(caches["default"]._expire_info)

    def restore(self, *, is_thought_expired: bool = False) -> None:
        """Put everything back to where it was."""
        self._empty()
        get_user_model().objects.filter(pk=self.alice.pk).update(password=self.alice.password)
        Session.objects.bulk_create(self._sessions)
        UserSession.objects.bulk_create(self._rows)
        caches["default"]._cache.update(self._cache[0])
        caches["default"]._expire_info.update(self._cache[1])
        if is_thought_expired:
            UserSession.objects.live().update(expires_at=timezone.now() - timedelta(hours=1))

    def _empty(self) -> None:
        UserSession.objects.all().delete()
        Session.objects.all().delete()
        caches["default"].clear()
        uses.memory.clear()
        self.answers: list[int] = []
        self.cookies: list[str | None] = []
        self.others: list[str] = []

    def _make_older_than_installation(self) -> None:
        store = engine.store_class()
        plain = next(base for base in store.__mro__ if base.__module__.startswith("django."))
        session = plain(self.key)
        for name in OURS:
            session.pop(name, None)
        assert SESSION_KEY in session
        session.save()
        UserSession.objects.filter(pk=self.session_id).delete()

    # Requests

    def request(self, path: str, data: object = None, *, elsewhere: bool = False) -> None:
        """What the browser sends, or another one; its view may be a twin."""
        response, key = self._send(
            path, data, None if elsewhere else self.key, is_async=self.site.is_async
        )
        wait_for_turn()
        with self._lock:
            self.answers.append(response.status_code)
            if elsewhere:
                self.others.append(key)
            elif settings.SESSION_COOKIE_NAME in response.cookies:
                self.cookies.append(key)

    def who(self, key: str) -> str | None:
        """Who the site takes the bearer of a key for; asked synchronously, which is faster."""
        return self._send("/whoami/", None, key)[0].json()["user"]

    def sign_in_elsewhere(self) -> str:
        response, key = self._send("/api/login/", credentials("alice"), None)
        assert response.status_code == 200, response.status_code
        assert key
        return key

    def _send(self, path, data, key, *, is_async=False):
        client_class = AsyncClient if is_async else Client
        client = client_class(raise_request_exception=False)
        if key is not None:
            client.cookies[settings.SESSION_COOKIE_NAME] = key
        if is_async:
            # An async view can't be in Django's transaction of a request.
            path = path if self.site.is_atomic else f"/async{path}"
            send = async_to_sync(client.get if data is None else client.post)
        else:
            send = client.get if data is None else client.post
        if data is None:
            response = send(path)
        else:
            response = send(path, data, content_type="application/json")
        morsel = response.cookies.get(settings.SESSION_COOKIE_NAME)
        return response, (morsel.value or None) if morsel is not None else None

    def stored_keys(self) -> set[str]:
        """All keys under which the engine has anything."""
        keys = set(Session.objects.values_list("session_key", flat=True))
        prefix = getattr(engine.store_class(), "cache_key_prefix", None)
        if prefix is None:
            return keys
        names = [name.partition(prefix)[2] for name in list(caches["default"]._cache)]
        return keys | {name for name in names if name}
