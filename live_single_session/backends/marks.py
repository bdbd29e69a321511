"""``Fence`` for engines that keep sessions in a cache: no query, no added round trip.

A session is trusted without asking the registry if its data holds a fingerprint of its key,
and the cache has no mark of that key. The fingerprint is written after the registry has
committed the key. The mark is set before the registry commits that the key is invalid, and
is read along with the session. In all other cases the registry is asked. Marks are never
removed, so that nobody can miss one. A session with limits in time is trusted for as long
as this process knows for certain that it is within them (``registry.uses``).
"""

from collections.abc import Collection, Iterable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.core.cache import BaseCache
from django.views.decorators.debug import sensitive_variables

from live_single_session.backends.fence import Fence
from live_single_session.backends.loading import Loading, SessionData
from live_single_session.models import (
    FINGERPRINT_KEY,
    INSTALLATION_KEY,
    SESSION_ID_KEY,
    UserSession,
    as_uuid,
    digest,
)
from live_single_session.registry import gate, installation, uses


class CacheFailed(Exception):  # noqa: N818 - as Django names its own
    """The cache did not keep what it was given."""


class MarkedFence(Fence):
    """A mixin for cache engines; it asks the registry only if a session may have ended."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)  # type: ignore[call-arg]
        self._cache: MarkedCache = MarkedCache(self._cache)

    @classmethod
    @sensitive_variables()
    def mark(cls, session_keys: Iterable[str], seconds: float) -> None:
        """Mark keys for as long as their sessions could have lived.

        Args:
            session_keys: which ones.
            seconds: for how long at least; their data may ask for more.

        Raises:
            CacheFailed: some could not be marked. Most caches raise; memcached's say which.
        """
        store: Any = cls()
        prefix = store.cache_key_prefix
        marks = {mark_of(prefix + session_key): 1 for session_key in session_keys}
        longest = max([seconds, *(cls._stored_age(key) for key in session_keys)])
        timeout = int(max(longest, store.get_session_cookie_age())) + 1
        if store._cache.set_many(marks, timeout=timeout):
            raise CacheFailed("not all sessions could be marked")

    @classmethod
    @sensitive_variables()
    def _stored_age(cls, session_key: str) -> float:
        session: Any = cls(session_key)
        expiry = session.peek().get("_session_expiry")
        return 0 if expiry is None else float(session.get_expiry_age(expiry=expiry))

    @classmethod
    @sensitive_variables()
    def forget_cached(cls, session_keys: Collection[str]) -> None:
        """Delete what the cache holds of sessions."""
        if session_keys:
            store: Any = cls()
            store._cache.delete_many([store.cache_key_prefix + key for key in session_keys])

    @classmethod
    @sensitive_variables()
    def present_among(cls, session_keys: Collection[str]) -> set[str]:
        """Return those of some keys under which the cache has anything."""
        store: Any = cls()
        names = {store.cache_key_prefix + key: key for key in session_keys}
        return {names[name] for name in store._cache.get_many(list(names))}

    @sensitive_variables()
    async def aload(self) -> SessionData:
        """See ``load()``; a thread is needed only where the registry has to be asked."""
        key = self.session_key
        with self._internally():
            data: SessionData = await super(Loading, self).aload()  # type: ignore[misc]
        if SESSION_KEY in data and not self._is_trusted(key, data):
            return await sync_to_async(self._let_in)(key, data)
        return self._let_in(key, data)

    @sensitive_variables()
    def _judge(self, key: str, data: SessionData) -> gate.Verdict:
        installation.name_here()  # a query, once in a process
        if self._is_trusted(key, data):  # now that the name is known
            return gate.Verdict(opens=True, row_id=as_uuid(data[SESSION_ID_KEY]))
        verdict = gate.judge(key, data)
        if verdict.row_id is not None:
            # There is none if the process died after the commit of this key.
            data[FINGERPRINT_KEY] = digest(key)
        return verdict

    @sensitive_variables()
    def _is_trusted(self, key: str | None, data: SessionData) -> bool:
        """See ``Loading``: by its fingerprint, and if the cache has no mark of it."""
        name = installation.known_name()
        return (
            not self._cache.marked
            and None not in (key, name)
            and data.get(FINGERPRINT_KEY) == digest(str(key))
            and SESSION_ID_KEY in data
            and data.get(INSTALLATION_KEY) == name
            and uses.is_in_time(data[SESSION_ID_KEY])
        )

    def belongs_to(self, row: UserSession) -> None:
        """Note the row of this session, whose key the registry has."""
        super().belongs_to(row)
        self._set_fingerprint()

    @sensitive_variables()
    def _set_fingerprint(self) -> None:
        self._session_cache[FINGERPRINT_KEY] = digest(self.session_key or "")


def mark_of(cache_key: str) -> str:
    """Return the cache key of a session's mark; the session key can't be read from it."""
    return f"live_single_session.ended.{digest(cache_key)}"


class MarkedCache:
    """A cache that reads a session and its mark in one round trip."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self.marked = False

    def get(self, key: str, default: Any = None) -> Any:
        self.marked = True  # stays so if the cache fails, which the engine ignores
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
