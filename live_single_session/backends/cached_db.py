"""Django's ``cached_db`` session engine, behind a fence that costs no added round trip."""

from django.contrib.sessions.backends.cached_db import SessionStore as DjangoStore
from django.contrib.sessions.backends.db import SessionStore as DBStore

from live_single_session.backends.fence import MarkedFence


class SessionStore(MarkedFence, DjangoStore):  # type: ignore[misc]
    """Sessions that a racing read or a late save cannot bring back."""

    # A session is created empty, and saved again once there is something in it. Were it
    # cached before, and the cache away by then, it would stay empty.

    def save(self, must_create: bool = False) -> None:
        """Save the session, and cache it unless it has only just been created."""
        if must_create:
            DBStore.save(self, must_create)
        else:
            super().save()

    async def asave(self, must_create: bool = False) -> None:
        """See ``save()``."""
        if must_create:
            await DBStore.asave(self, must_create)
        else:
            await super().asave()
