"""The metrics, in prometheus-client's default registry. No label names a user or a slot.

All but ``UnfinishedEnds`` also work where prometheus-client collects from many processes.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.dispatch import Signal
from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from live_single_session import signals
from live_single_session.models import UserSession
from live_single_session.realtime import measures
from live_single_session.registry import db

NAME = "live_single_session"

STARTED = Counter(f"{NAME}_started", "Sessions that started, by kind.", ["kind"])
ENDED = Counter(f"{NAME}_ended", "Sessions that ended, by reason.", ["reason"])
REFUSED = Counter(f"{NAME}_refused", "Sign-ins that the session limit refused.")
PUSHES = Counter(
    f"{NAME}_pushes", "Messages through the channel layer, by outcome.", ["outcome"]
)
OPEN_SOCKETS = Gauge(
    f"{NAME}_open_sockets",
    "Tabs whose websocket watches a session here.",
    multiprocess_mode="livesum",
)
RECHECKS = Counter(f"{NAME}_rechecks", "Looks at the registry, by outcome.", ["outcome"])
LAST_RECHECK = Gauge(
    f"{NAME}_last_recheck_timestamp_seconds",
    "When open sockets were last checked against the registry, in seconds since 1970.",
    multiprocess_mode="livemostrecent",
)


class UnfinishedEnds(Collector):  # type: ignore[misc]
    """Ended sessions that the session engine has not forgotten yet; asks the database."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield their number; nothing while the registry can't be asked."""
        try:
            number = UserSession.objects.using(db.database()).unfinished().count()
        except Exception:  # the other metrics are still worth being read
            return
        text = "Ended sessions that the session engine has not forgotten yet."
        yield GaugeMetricFamily(f"{NAME}_unfinished_ends", text, value=number)

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing: to be registered takes no query."""
        return []


def connect() -> None:
    """Count from now on; called when the app is ready."""
    receivers: dict[Signal, Callable[..., None]] = {
        signals.session_started: _count_start,
        signals.session_ended: _count_end,
        signals.login_refused: _count_refusal,
        measures.pushed: _count_push,
        measures.sockets_changed: _count_socket,
        measures.rechecked: _count_recheck,
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver, dispatch_uid=__name__)
    REGISTRY.register(UnfinishedEnds())


def _count_start(session: UserSession, **kwargs: Any) -> None:
    STARTED.labels(session.kind).inc()


def _count_end(session: UserSession, **kwargs: Any) -> None:
    ENDED.labels(session.end_reason).inc()


def _count_refusal(**kwargs: Any) -> None:
    REFUSED.inc()


def _count_push(outcome: str, **kwargs: Any) -> None:
    PUSHES.labels(outcome).inc()


def _count_socket(change: int, **kwargs: Any) -> None:
    OPEN_SOCKETS.inc(change)


def _count_recheck(outcome: str, **kwargs: Any) -> None:
    RECHECKS.labels(outcome).inc()
    if outcome == measures.DONE:
        LAST_RECHECK.set(time.time())
