"""What a client is told whose session has ended."""

from typing import Any

from rest_framework_simplejwt.authentication import AUTH_HEADER_TYPES
from rest_framework_simplejwt.exceptions import InvalidToken

from live_single_session.notices import HEADER, EndNotice


class SessionEnded(InvalidToken):  # type: ignore[misc]
    """The session that a token carries has ended: 401, with the reason.

    It is simplejwt's ``InvalidToken`` to those who catch that.

    Attributes:
        reason: an ``EndReason``.
    """

    auth_header = f'{AUTH_HEADER_TYPES[0]} realm="api", error="invalid_token"'

    def __init__(self, notice: EndNotice) -> None:
        super().__init__(notice.body())
        self.reason = notice.reason

    @property
    def status_code(self) -> int:
        """401, also where Django REST framework would make it a 403.

        It does where the first of a view's authentication classes has no challenge, as
        ``SessionAuthentication`` has none.
        """
        return 401

    @status_code.setter
    def status_code(self, value: int) -> None:
        pass


def tell_in_header(view: Any, error: Exception) -> None:
    """Let a view's answer name the reason in its ``Session-Ended`` header.

    Args:
        view: a view of Django REST framework, or None where it is not known.
        error: what it is about to answer.
    """
    headers = getattr(view, "headers", None)
    if isinstance(error, SessionEnded) and headers is not None:
        headers[HEADER] = error.reason
