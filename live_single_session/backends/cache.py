"""Django's ``cache`` session engine, behind a fence that costs no added round trip."""

from django.contrib.sessions.backends.cache import SessionStore as DjangoStore

from live_single_session.backends.fence import MarkedFence


class SessionStore(MarkedFence, DjangoStore):  # type: ignore[misc]
    """Sessions that a racing read or a late save cannot bring back."""
