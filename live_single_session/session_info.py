"""Describe a session for lists: on pages, in JSON and on the terminal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

from live_single_session.conf import conf
from live_single_session.devices import class_of, device_of
from live_single_session.models import EndReason, UserSession
from live_single_session.registry.time_limits import in_force


@dataclass(frozen=True)
class SessionInfo:
    """A session as it is shown to its user, or to somebody who knows the password.

    Attributes:
        row: the session.
        current: whether it is the session of this request.
        gives_way: whether the sign-in that waits for a choice would end it.
        tells_ip: whether its IP address is shown.
        tells_use: whether the time of its last use is shown.
    """

    row: UserSession
    current: bool = False
    gives_way: bool = False
    tells_ip: bool = True
    tells_use: bool = True

    @property
    def id(self) -> UUID:
        return self.row.pk

    @property
    def live(self) -> bool:
        return self.row.ended_at is None

    @property
    def state(self) -> str:
        """The heading that it is listed under: current, live or ended."""
        if self.current:
            return "current"
        return "live" if self.live else "ended"

    @property
    def device(self) -> str:
        """Its name, if a user or an app gave one; or else browser and system; or empty."""
        return self.row.device or str(device_of(self.row.user_agent) or "")

    @property
    def found_device(self) -> str:
        """Browser and system in words, where it has a name that says nothing of them."""
        found = str(device_of(self.row.user_agent) or "")
        return found if self.row.device and found != self.row.device else ""

    @property
    def device_class(self) -> str:
        """The kind of device: phone, tablet or desktop."""
        return class_of(self.row.user_agent)

    @property
    def ip(self) -> str | None:
        return self.row.ip if self.tells_ip else None

    @property
    def shown_ip(self) -> str | None:
        """The address, where it says something: not that of a proxy on the same machine."""
        return None if self.ip is None or ip_address(self.ip).is_loopback else self.ip

    @property
    def started_at(self) -> datetime:
        return self.row.started_at

    @property
    def started(self) -> str:
        """When the user signed in there, in words."""
        return ago(self.started_at)

    @property
    def last_seen_at(self) -> datetime | None:
        return self.row.last_seen_at if self.tells_use else None

    @property
    def last_seen(self) -> str:
        """When it was last used, in words; empty where that isn't shown."""
        return "" if self.last_seen_at is None else ago(self.last_seen_at)

    @property
    def ends_at(self) -> datetime | None:
        """When it will end in time; None where no limit in time applies, or it has ended."""
        return self.row.ends_at if self.live and self.row.ends_by in in_force() else None

    @property
    def ends(self) -> str:
        """When it will end, in words; empty where no limit in time applies."""
        return "" if self.ends_at is None else ends_in(self.ends_at)

    @property
    def is_open(self) -> bool | None:
        """Whether its browser is connected; None where nobody knows."""
        until = self.row.present_until
        if conf.AWAY_SECONDS is None or until is None or not self.live:
            return None
        return until > timezone.now()

    @property
    def left_at(self) -> datetime | None:
        """Since when its browser is gone; None while it is there, or nobody knows."""
        return self.row.present_until if self.is_open is False else None

    @property
    def presence(self) -> str:
        """Whether its browser is there, in words; empty where nobody knows."""
        if self.left_at is not None:
            return _("left %(time)s") % {"time": ago(self.left_at)}
        return _("open now") if self.is_open else ""

    @property
    def is_shared(self) -> bool:
        """Whether two browsers were found to use it at once, while it is live."""
        return self.live and self.row.shared_at is not None

    @property
    def ended_at(self) -> datetime | None:
        return self.row.ended_at

    @property
    def ended(self) -> str:
        """When it ended, in words; empty while it is live."""
        return "" if self.ended_at is None else ago(self.ended_at)

    @property
    def end_reason_text(self) -> str:
        """Why it ended; empty for an ordinary sign-out."""
        if self.row.end_reason == EndReason.LOGGED_OUT:
            return ""
        return str(self.row.get_end_reason_display())

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON values, without secrets."""
        return {
            "id": str(self.id),
            "current": self.current,
            "live": self.live,
            "kind": self.row.kind,
            "slot": self.row.slot,
            "device": self.device or None,
            "device_class": self.device_class,
            "ip": self.ip,
            "started_at": iso(self.started_at),
            "last_seen_at": iso(self.last_seen_at),
            "ends_at": iso(self.ends_at),
            "ends_by": self.row.ends_by if self.ends_at else None,
            "open": self.is_open,
            "left_at": iso(self.left_at),
            "shared": self.is_shared,
            "ended_at": iso(self.ended_at),
            "end_reason": self.row.end_reason or None,
        }

    def as_choice(self) -> dict[str, Any]:
        """Return as JSON values what the client of a refused login is told about it."""
        return {
            "session": str(self.id),
            "device": self.device or None,
            "ip": self.ip,
            "started_at": iso(self.started_at),
            "last_seen_at": iso(self.last_seen_at),
            "open": self.is_open,
            "left_at": iso(self.left_at),
        }


def ids_of(rows: Iterable[UserSession]) -> set[UUID]:
    """Return the ids of sessions."""
    return {row.pk for row in rows}


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC; None for None."""
    return None if moment is None else moment.astimezone(UTC).isoformat()


def ago(moment: datetime) -> str:
    """Return how long ago a time was, in words, in the active language."""
    passed = timezone.now() - moment
    if passed.total_seconds() < 60:
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(moment, depth=1)}


def ends_in(moment: datetime) -> str:
    """Return how soon a session ends, in words, in the active language."""
    if (moment - timezone.now()).total_seconds() < 60:
        return _("ends in less than a minute")
    return _("ends in %(time)s") % {"time": timeuntil(moment, depth=1)}
