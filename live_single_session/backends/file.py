"""The twin of Django's ``file`` session engine; it asks the registry each time."""

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.file import SessionStore as DjangoStore

from live_single_session.backends.fence import Fence
from live_single_session.backends.loading import SessionData


class SessionStore(Fence, DjangoStore):
    """Sessions in files, opened by their current keys only."""

    # Django reads and writes files on the event loop: an anonymous session gets no thread.

    async def aload(self) -> SessionData:
        """See ``load()``."""
        key, data = self.session_key, self.peek()
        if SESSION_KEY in data:
            return await sync_to_async(self._let_in)(key, data)
        return self._let_in(key, data)

    async def asave(self, must_create: bool = False) -> None:
        """See ``save()``."""
        data = {} if must_create else await self._aget_session()
        if SESSION_KEY in data:
            await sync_to_async(self.save)()
        else:
            self.save(must_create)
