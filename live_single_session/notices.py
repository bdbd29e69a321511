"""``EndNotice``: what the tab or client of an ended session is told.

It holds the facts, and renders them as text, as a websocket frame and as JSON. It is sent
through the channel layer whole, since the row may be deleted before it arrives. Texts are
made by the process that holds the socket, which knows the language of the browser.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import get_language_from_request, override
from django.utils.translation import gettext as _

from live_single_session.conf import conf
from live_single_session.devices import Device, device_of
from live_single_session.models import EndReason, UserSession
from live_single_session.site_urls import login_url, not_you_url

# The header of an HTTP response that names the reason why the session ended.
HEADER = "Session-Ended"

# Somebody else who knows the user's password may have caused these.
MAYBE_SOMEBODY_ELSE = (
    EndReason.SUPERSEDED,
    EndReason.REVOKED,
    EndReason.PASSWORD_CHANGED,
    EndReason.SHARED,
)


@dataclass(frozen=True)
class ReplacedBy:
    """What ``DISCLOSE`` allows to tell about the login that superseded a session."""

    device: Device | None
    ip: str | None


@dataclass(frozen=True)
class EndNotice:
    """Which session ended, why, when (ISO 8601, UTC) and for which login.

    The reason is None where nobody knows it.

    Attributes:
        by_token: whether it was an app's, which has no browser and no tabs.
    """

    session: str
    reason: str | None
    at: str | None = None
    by: ReplacedBy | None = None
    by_token: bool = False

    @property
    def code(self) -> str:
        """The reason for a header or an address; ``unknown`` where there is none."""
        return self.reason or "unknown"

    def bare(self) -> "EndNotice":
        """Return this without particulars, for those who may not know them."""
        return EndNotice(self.session, self.reason)

    def pack(self) -> dict[str, Any]:
        """Return this as plain values, for a channel layer."""
        return asdict(self)

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> "EndNotice":
        """Return what ``pack()`` was called on; keys of later versions are ignored."""
        by = packed.get("by")
        if by is not None:
            device = by.get("device")
            by = ReplacedBy(device=device and Device(**device), ip=by.get("ip"))
        by_token = bool(packed.get("by_token"))
        return cls(packed["session"], packed["reason"], packed.get("at"), by, by_token)

    def frame(self, *, signed_in: bool) -> dict[str, Any]:
        """Return the ``session.ended`` frame, in the active language.

        Args:
            signed_in: whether the browser is signed in again.
        """
        frame = {
            "type": "session.ended",
            "session": self.session,
            "reason": self.reason,
            "at": self.at,
            "by": self._by(),
            "signed_in": signed_in,
            "title": title(self.reason),
            "message": self.message(),
            "login_url": login_url(),
        }
        url = not_you_url() if self.reason in MAYBE_SOMEBODY_ELSE else None
        return frame if url is None else {**frame, "not_you_url": url}

    def body(self) -> dict[str, Any]:
        """Return the JSON of a 401 for an ended session, in the active language."""
        return {
            "code": "session_ended",
            "reason": self.reason,
            "detail": self.message(),
            "login_url": login_url(),
        }

    def message(self) -> str:
        """Return what happened in a sentence or two, in the active language."""
        if self.reason == EndReason.SUPERSEDED and self.by and self.by.device:
            told = _("You signed in on %(device)s, so you were signed out here.")
            return told % {"device": self.by.device}
        if self.reason == EndReason.LOGGED_OUT and self.by_token:
            return title(self.reason)
        return message(self.reason)

    def _by(self) -> dict[str, Any] | None:
        if self.by is None:
            return None
        device = None if self.by.device is None else str(self.by.device)
        return {"device": device, "ip": self.by.ip}


def notice_of(row: UserSession) -> EndNotice:
    """Return what to tell the tab of an ended session."""
    told = conf.DISCLOSE
    by = None
    if row.end_reason == EndReason.SUPERSEDED and row.replaced_by is not None:
        newer = row.replaced_by
        by = ReplacedBy(
            device=device_of(newer.user_agent) if "device" in told else None,
            ip=newer.ip if "ip" in told else None,
        )
    at = None
    by_login = row.end_reason in (EndReason.SUPERSEDED, EndReason.USER_SWITCHED)
    if row.ended_at is not None and ("time" in told or not by_login):
        at = row.ended_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    by_token = row.kind == UserSession.Kind.TOKEN
    return EndNotice(str(row.pk), row.end_reason, at, by, by_token)


def notice_of_unknown(session_id: UUID, *, user_is_gone: bool = False) -> EndNotice:
    """Return what to tell the tab of a session that the registry doesn't know.

    Args:
        session_id: which one.
        user_is_gone: whether its user was deleted, and its row with it; else there is no
            reason to tell.
    """
    return EndNotice(str(session_id), EndReason.DEACTIVATED if user_is_gone else None)


def ending_frame(session: UUID, reason: str | None, seconds: float | None) -> dict[str, Any]:
    """Return the ``session.ending`` frame, in the active language.

    Args:
        session: which one will end.
        reason: by which limit, an ``EndReason``.
        seconds: in how many seconds; None: it will not, for the time being.
    """
    return {
        "type": "session.ending",
        "session": str(session),
        "reason": reason,
        "in": None if seconds is None else round(max(0.0, seconds), 3),
        "message": None if seconds is None else _warning(reason),
        "extendable": reason == EndReason.IDLE,
    }


def _warning(reason: str | None) -> str:
    if reason == EndReason.IDLE:
        return _("You haven’t been active for a while.")
    return _("You have been signed in for as long as is allowed. Save your work now.")


def title(reason: str | None) -> str:
    """Return a heading, in the active language.

    Args:
        reason: an ``EndReason``, perhaps one that only a later version knows.
    """
    titles: dict[str | None, str] = {
        EndReason.SUPERSEDED: _("You’ve been signed out here"),
        EndReason.LOGGED_OUT: _("You signed out"),
        EndReason.USER_SWITCHED: _("Somebody else signed in"),
        EndReason.DEACTIVATED: _("Your account is not active"),
        EndReason.EXPIRED: _("Your session has expired"),
        EndReason.PASSWORD_CHANGED: _("Your password was changed"),
    }
    return titles.get(reason, _("You were signed out"))


def message(reason: str | None) -> str:
    """Return what happened, without particulars, in the active language."""
    messages: dict[str | None, str] = {
        EndReason.SUPERSEDED: _(
            "You signed in on another device, so you were signed out here."
        ),
        EndReason.LOGGED_OUT: _("You signed out in another tab of this browser."),
        EndReason.REVOKED: _("You ended this session from another device."),
        EndReason.REVOKED_BY_STAFF: _("An administrator ended this session."),
        EndReason.PASSWORD_CHANGED: _(
            "Your password was changed, so you were signed out on every other device."
        ),
        EndReason.USER_SWITCHED: _("Another account was signed in to in this browser."),
        EndReason.DEACTIVATED: _("This account was deactivated or removed."),
        EndReason.EXPIRED: _("You were signed out because your session expired."),
        EndReason.IDLE: _("You were signed out because you weren’t active for a while."),
        EndReason.LIFETIME: _(
            "You were signed out because you had been signed in for as long as is allowed."
        ),
        EndReason.SHARED: _(
            "Two browsers used this session at the same time, so both were signed out."
        ),
        EndReason.REMOVED: _("This session was removed on the server."),
    }
    return messages.get(reason, title(reason))


def in_language_of(scope: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Activate the language that the browser behind an ASGI connection asks for."""
    request = HttpRequest()
    request.COOKIES = scope.get("cookies", {})
    accepted = dict(scope["headers"]).get(b"accept-language", b"")
    request.META["HTTP_ACCEPT_LANGUAGE"] = accepted.decode("latin1")
    return override(get_language_from_request(request))
