"""Django's ``signed_cookies`` session engine, behind a fence that asks the registry."""

from django.contrib.sessions.backends.signed_cookies import SessionStore as DjangoStore

from live_single_session.backends.fence import Fence


class SessionStore(Fence, DjangoStore):  # type: ignore[misc]
    """Sessions in cookies that cannot be replayed once they have ended."""

    # A cookie from before the installation has no id: it could be replayed for ever.
    admits_unknown = False
