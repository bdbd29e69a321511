"""The client of a request: its IP address and user agent, checked and shortened."""

import ipaddress
import logging
from dataclasses import dataclass

from django.http import HttpRequest

from live_single_session.conf import conf
from live_single_session.models import USER_AGENT_LENGTH

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Client:
    """What the registry records about a client."""

    ip: str | None = None
    user_agent: str = ""


def client_of(request: HttpRequest | None) -> Client:
    """Return the client of a request; an empty one where ``RECORD_CLIENT`` is off."""
    if request is None or not conf.RECORD_CLIENT:
        return Client()
    return Client(ip=_ip(request), user_agent=_user_agent(request))


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
    raw = str(request.META.get("HTTP_USER_AGENT", ""))[: 4 * USER_AGENT_LENGTH]
    return "".join(c for c in raw if c.isprintable())[:USER_AGENT_LENGTH]
