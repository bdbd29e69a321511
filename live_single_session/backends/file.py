"""Django's ``file`` session engine, behind a fence that asks the registry each time."""

from django.contrib.sessions.backends.file import SessionStore as DjangoStore

from live_single_session.backends.fence import Fence


class SessionStore(Fence, DjangoStore):  # type: ignore[misc]
    """Sessions that a late save cannot bring back."""
