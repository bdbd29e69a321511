"""Where the channel layer is, for the log: hosts and ports, and never a password."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

UNKNOWN = "?"


def layer_hosts() -> str:
    """Return the hosts of the default channel layer, or the name of what needs none."""
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {})
    hosts = layer.get("CONFIG", {}).get("hosts")
    if not isinstance(hosts, list | tuple) or not hosts:
        return str(layer.get("BACKEND", UNKNOWN)).rpartition(".")[2]
    return ", ".join(_name(host) for host in hosts)


def _name(host: Any) -> str:
    try:
        return _name_of(host)
    except Exception:  # it may quote the password that it stumbles over
        return UNKNOWN


def _name_of(host: Any) -> str:
    if isinstance(host, str):
        return _name_of_url(host)
    if not isinstance(host, dict):
        return _joined(host)
    if "sentinels" in host:
        return ", ".join(_joined(sentinel) for sentinel in host["sentinels"])
    if "address" in host:
        return _name_of(host["address"])
    return str(host["path"]) if "path" in host else _joined((host["host"], host["port"]))


def _name_of_url(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.path + parts.query + parts.fragment:
        return UNKNOWN  # a password that isn't quoted as it should be
    if parts.hostname is None:
        return parts.path or UNKNOWN  # a unix socket
    return _joined((parts.hostname, parts.port or 6379))


def _joined(address: Iterable[object]) -> str:
    host, port = address
    return f"{host}:{port}"
