"""What a client is told whose session has ended, or who finds no place to sign in."""

import json
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework_simplejwt.authentication import AUTH_HEADER_TYPES
from rest_framework_simplejwt.exceptions import InvalidToken

from live_single_session.notices import HEADER, EndNotice


class SessionEnded(InvalidToken):  # type: ignore[misc]
    """The session that a token carries has ended: 401, with the reason.

    A subclass of simplejwt's ``InvalidToken``.

    Attributes:
        reason: an ``EndReason``, or ``unknown``.
    """

    auth_header = f'{AUTH_HEADER_TYPES[0]} realm="api", error="invalid_token"'

    def __init__(self, notice: EndNotice) -> None:
        super().__init__(notice.body())
        if notice.reason is None:  # Django REST framework has made the text "None" of it
            self.detail["reason"] = None
        self.reason = notice.code

    def get_codes(self) -> Any:
        """Return the code of each text."""
        return self._texts().get_codes()

    def get_full_details(self) -> Any:
        """Return each text and its code."""
        return self._texts().get_full_details()

    def _texts(self) -> APIException:
        return APIException({k: v for k, v in self.detail.items() if v is not None})

    @property
    def status_code(self) -> int:
        """401, also where Django REST framework would make it a 403.

        It does so where the first of a view's authentication classes has no
        ``WWW-Authenticate`` header, such as ``SessionAuthentication``.
        """
        return 401

    @status_code.setter
    def status_code(self, value: int) -> None:
        pass


class SessionLimit(APIException):  # type: ignore[misc]
    """The user is signed in on as many devices as are allowed: 409, with a list of them."""

    status_code = 409

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.detail = body  # as it is: Django REST framework would make text of its numbers


class Unconfirmed(APIException):  # type: ignore[misc]
    """The site's ``CONFIRM`` has stopped a ``take_over``: its response, as JSON.

    What isn't JSON in it is for a browser, and becomes a 403 ``unconfirmed``.
    """

    status_code = 403

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        try:
            self.detail = json.loads(response.content)
            self.status_code = response.status_code
        except ValueError:
            text = _("Confirm on the website that it is you.")
            self.detail = {"code": "unconfirmed", "detail": text}


def tell_in_header(view: Any, error: Exception) -> None:
    """Add the reason to a view's response, as its ``Session-Ended`` header.

    Args:
        view: a view of Django REST framework, or None where it is unknown.
        error: what it has raised.
    """
    headers = getattr(view, "headers", None)
    if isinstance(error, SessionEnded) and headers is not None:
        headers[HEADER] = error.reason
