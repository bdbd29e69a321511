"""Who is calling: address, user agent and device name of a request, made harmless."""

import ipaddress
import logging
from dataclasses import dataclass

from django.http import HttpRequest

from live_single_session.conf import conf
from live_single_session.django_internals import loaded_body
from live_single_session.models import DEVICE_LENGTH, USER_AGENT_LENGTH
from live_single_session.request_state import state_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Client:
    """What the registry keeps of a caller.

    Attributes:
        ip: its address, if it has a valid one.
        user_agent: what it says of itself, "" if nothing.
        device: the name that an app gave its device, "" if none.
    """

    ip: str | None = None
    user_agent: str = ""
    device: str = ""


def client_of(request: HttpRequest | None) -> Client:
    """Return the client of a request; an empty one where ``RECORD_CLIENT`` is off."""
    if request is None or not conf.RECORD_CLIENT:
        return Client()
    return Client(ip=_ip(request), user_agent=_user_agent(request), device=_device(request))


def _ip(request: HttpRequest) -> str | None:
    if conf.CLIENT_IP is None:
        return _valid_ip(request.META.get("REMOTE_ADDR"))
    try:
        return _valid_ip(conf.CLIENT_IP(request))
    except Exception:
        logger.exception("The CLIENT_IP callable raised; no address is recorded")
        return None


def _valid_ip(value: object) -> str | None:
    try:
        address = ipaddress.ip_address(str(value).partition("%")[0])
    except ValueError:
        return None
    return str(address)


def _user_agent(request: HttpRequest) -> str:
    return printable(request.META.get("HTTP_USER_AGENT", ""), USER_AGENT_LENGTH)


def _device(request: HttpRequest) -> str:
    """Return the ``device`` of the body, which an app sends with its sign-in."""
    named = state_of(request).device or loaded_body(request).get("device", "")
    return printable(named, DEVICE_LENGTH).strip() if isinstance(named, str) else ""


def printable(text: object, length: int) -> str:
    """Return a text without control characters, and no longer than that."""
    return "".join(c for c in str(text)[: 4 * length] if c.isprintable())[:length]
