"""The fence: what a session engine loads is nobody's once the session has ended.

Django's engines other than ``db`` can bring a deleted session back: a read that began
before the deletion fills the cache again, a late save writes the session anew, a signed
cookie was never on the server. The fence stands in ``load`` and ``aload``, so that
whoever loads a session (views, Channels, Django REST framework) is behind it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.core.cache import BaseCache
from django.db import router
from django.db.models import Q
from django.views.decorators.debug import sensitive_variables

from live_single_session.models import SESSION_ID_KEY, UserSession, as_uuid, digest

SessionData = dict[str, Any]


class Fence:
    """A mixin for session engines: asks the registry about every signed-in session.

    Put it in front of any engine's ``SessionStore``::

        class SessionStore(Fence, some_package.SessionStore):
            pass

    Costs one query for each load of a session in which somebody is signed in.
    """

    # The id of the ended session that a load came upon, for those who want to tell.
    ended_session_id: str | None = None
    # Whether a signed-in session that the registry never saw is let through.
    admits_unknown = True
    # When a live session expires, as the registry knows it.
    known_expiry: datetime | None = None

    @sensitive_variables()
    def load(self) -> SessionData:
        """Load the session; an ended one is as empty as one that was deleted."""
        session_key = self.session_key  # type: ignore[attr-defined]
        return self._unless_ended(session_key, super().load())  # type: ignore[misc]

    async def aload(self) -> SessionData:
        """See ``load()``: the registry's query needs a thread, the engine may share it."""
        return await sync_to_async(self.load)()

    @sensitive_variables()
    def _unless_ended(self, session_key: str | None, data: SessionData) -> SessionData:
        if SESSION_KEY not in data or self._is_live(session_key, data):
            return data
        self.ended_session_id = data.get(SESSION_ID_KEY)
        self._session_key = None
        return {}

    @sensitive_variables()
    def _is_live(self, session_key: str | None, data: SessionData) -> bool:
        rows = UserSession.objects.using(router.db_for_write(UserSession))
        if session_id := data.get(SESSION_ID_KEY):
            row = rows.live().filter(Q(pk=as_uuid(session_id))).first()
            self.known_expiry = row.expires_at if row else None
            return row is not None and self._is_current(session_key, row)
        if not self.admits_unknown or not session_key:
            return False
        return not rows.ended().filter(key_digest=digest(session_key)).exists()

    def _is_current(self, session_key: str | None, row: UserSession) -> bool:
        """Tell whether this may be the key that a live session has now."""
        return True


class CacheFailed(Exception):  # noqa: N818 - as Django names its own
    """The cache did not keep what it was given."""


class MarkedFence(Fence):
    """A fence for engines that keep sessions in a cache: no query, no added round trip.

    A session that may have ended has a mark in the same cache, which is read along with
    the session. Marks are set before the registry commits, so that a crash leaves no
    gap; they are only a suspicion, and a marked session is looked up in the registry.
    They are never removed, so that there is nothing to race with. A key that a session has
    left behind is marked as well: the registry knows the one that it has now.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)  # type: ignore[call-arg]
        self._cache: MarkedCache = MarkedCache(self._cache)

    @classmethod
    @sensitive_variables()
    def suspect(cls, session_keys: Iterable[str], seconds: float) -> None:
        """Mark sessions for as long as they could have lived.

        Args:
            session_keys: which ones.
            seconds: for how long at least; their data may ask for more.

        Raises:
            CacheFailed: some could not be marked. Most caches raise; memcached's say which.
        """
        store: Any = cls()
        prefix = store.cache_key_prefix
        stores: list[Any] = [cls(session_key) for session_key in session_keys]
        longest = max([seconds, *(store.get_expiry_age() for store in stores)])
        marks = {mark_of(prefix + session_key): 1 for session_key in session_keys}
        if store._cache.set_many(marks, timeout=int(longest) + 1):
            raise CacheFailed("not all sessions could be marked")

    @sensitive_variables()
    def load(self) -> SessionData:
        session_key = self.session_key  # type: ignore[attr-defined]
        data: SessionData = super(Fence, self).load()  # type: ignore[misc]
        if self._cache.marked:
            return self._unless_ended(session_key, data)
        return data

    @sensitive_variables()
    async def aload(self) -> SessionData:
        session_key = self.session_key  # type: ignore[attr-defined]
        data: SessionData = await super(Fence, self).aload()  # type: ignore[misc]
        if self._cache.marked:
            return await sync_to_async(self._unless_ended)(session_key, data)
        return data

    def _is_current(self, session_key: str | None, row: UserSession) -> bool:
        return session_key is not None and row.key_digest in (None, digest(session_key))


def mark_of(cache_key: str) -> str:
    """Return the cache key of a session's mark; it gives away nothing of the session's."""
    return f"live_single_session.ended.{digest(cache_key)}"


class MarkedCache:
    """A cache in which whoever gets a session gets its mark with it, in one round trip."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self.marked = False

    def get(self, key: str, default: Any = None) -> Any:
        self.marked = True  # the engine carries on if the cache fails
        return self._read(key, default, self._cache.get_many([key, mark_of(key)]))

    async def aget(self, key: str, default: Any = None) -> Any:
        self.marked = True
        keys = [key, mark_of(key)]
        if type(self._cache).aget_many is BaseCache.aget_many:
            # Django's default gets one key after the other, each in a thread.
            found = await sync_to_async(self._cache.get_many)(keys)
        else:
            found = await self._cache.aget_many(keys)
        return self._read(key, default, found)

    def _read(self, key: str, default: Any, found: dict[str, Any]) -> Any:
        self.marked = mark_of(key) in found
        return found.get(key, default)

    def __contains__(self, key: str) -> bool:
        return key in self._cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)
