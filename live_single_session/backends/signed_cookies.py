"""The twin of Django's ``signed_cookies`` session engine; it asks the registry each time."""

from django.contrib.sessions.backends.signed_cookies import SessionStore as DjangoStore

from live_single_session.backends.fence import Fence
from live_single_session.backends.loading import SessionData
from live_single_session.models import UserSession
from live_single_session.registry import gate


class SessionStore(Fence, DjangoStore):
    """Sessions in cookies; a cookie is refused if its session has ended.

    There is no key but the cookie itself, so the session is found by the id inside. A cookie
    from before the installation has no id. It could be replayed for ever, so it is refused.
    """

    def _judge(self, key: str, data: SessionData) -> gate.Verdict:
        return gate.judge_id(data)

    def cycle_key(self) -> None:
        """Send the cookie again."""
        DjangoStore.cycle_key(self)

    async def acycle_key(self) -> None:
        """See ``cycle_key()``."""
        DjangoStore.cycle_key(self)

    def create(self) -> None:
        """Send a cookie."""
        DjangoStore.create(self)

    def _save_under_new_key(self) -> None:
        self._update()

    def begin(self, row: UserSession) -> None:
        """Note the row of this session; the cookie that says so goes with the response."""
        self._before = self.session_key, self.row_id
        self.has_begun = True
        self.belongs_to(row)
        self._confirm_on_commit()
