"""The twin of Django's ``signed_cookies`` session engine; it asks the registry each time."""

from django.contrib.sessions.backends.signed_cookies import SessionStore as DjangoStore

from live_single_session.backends.fence import Fence
from live_single_session.backends.loading import SessionData
from live_single_session.models import UserSession
from live_single_session.registry import keys


class SessionStore(Fence, DjangoStore):
    """Sessions in cookies, which nobody can use once they have ended.

    A cookie is its own key, and so is each copy of it: they are known by the id inside. A
    cookie from before the installation has none, could be replayed for ever, and is refused.
    """

    def _judge(self, key: str, data: SessionData) -> keys.Verdict:
        return keys.judge_id(data)

    def cycle_key(self) -> None:
        """Let the browser have the cookie anew."""
        DjangoStore.cycle_key(self)

    async def acycle_key(self) -> None:
        """See ``cycle_key()``."""
        DjangoStore.cycle_key(self)

    def create(self) -> None:
        """Let the browser have a cookie."""
        DjangoStore.create(self)

    def _save_under_new_key(self) -> None:
        self._update()

    def begin(self, row: UserSession) -> None:
        """Note the row of this session; the cookie that says so goes with the response."""
        self._before = self.session_key, self.row_id
        self.has_begun = True
        self.belongs_to(row)
        self._confirm_on_commit()
