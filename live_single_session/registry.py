"""The registry: who is signed in where. The only writer of ``UserSession``.

One rule: whatever changes a user's rows does it under that user's lock, and reads the
session keys that it deletes after taking it. Otherwise a key that is rotated beside a
login survives the login. Times are the database's, so that skewed clocks of the nodes
can't change who is oldest.

The functions are synchronous, as Django's transactions are; each has an async twin whose
name begins with ``a``.
"""

import logging
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction
from django.db.models import Count, DateTimeField, ExpressionWrapper, Max, Min, Q
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone

from live_single_session import engine, policy
from live_single_session.client import client_of
from live_single_session.conf import conf
from live_single_session.models import (
    SESSION_ID_KEY,
    EndReason,
    UserSession,
    UserSessionQuerySet,
    as_uuid,
    digest,
)
from live_single_session.signals import limit_exceeded, session_ended, session_started

logger = logging.getLogger("live_single_session")

CHUNK = 500
# Added to how long a fenced engine remembers that a session may have ended.
MARGIN_SECONDS = 24 * 60 * 60
# Where sessions are that count for nothing; a SLOT callable's own names may be anything else.
EXEMPT_SLOT = "(exempt)"


def database() -> str:
    """Return the alias of the database that the registry is written to and decided in."""
    return router.db_for_write(UserSession)


def live(user: Any) -> list[UserSession]:
    """Return the user's live sessions, the newest first."""
    return list(_rows().of(user).live().order_by("-serial"))


class LoginRefused(Exception):  # noqa: N818 - a refusal, as Django names its own
    """A login found no place, and nobody gives way to it (``ON_LIMIT``: refuse or ask).

    Attributes:
        user: who may not sign in.
        live: the sessions that keep their places, those that would give way first.
        terms: what the login was subject to.
        serial: where the login would have stood among the user's.
        announced: whether the log and the listeners have heard of it.
    """

    def __init__(
        self, user: Any, live: Iterable[UserSession], terms: "Terms", serial: int
    ) -> None:
        super().__init__("The user is signed in on as many devices as are allowed.")
        self.user = user
        self.live = tuple(live)
        self.terms = terms
        self.serial = serial
        self.announced = False


def start(user: Any, request: HttpRequest) -> UserSession:
    """Record a login and end the sessions that have to give way to it.

    A second login in the same browser is the same session: nothing of its own ends.

    Args:
        user: who signed in.
        request: the request that did it; its ``session`` already belongs to the user.

    Returns:
        the session's row; its id is in ``request.session`` from now on.

    Raises:
        LoginRefused: there is no place left, and the policy is not to make one.
        ImproperlyConfigured: a ``LIMIT`` callable returned what is no limit.
        Exception: whatever a ``LIMIT`` or ``SLOT`` callable raises.
    """
    terms = _terms_for(user, request)
    session = request.session
    if engine.keeps_keys() and session.session_key is None:
        session.save()  # a switch of users has flushed it, and left it without a key
    left = _left_by_browser(request)
    try:
        with _locked({user.pk}) as now:
            known = _here(session) | Q(pk__in=[row.pk for row in left], user_id=user.pk)
            rows = _lock_rows(known, user, terms)
            current = _current(rows, user, session)
            if current is None:
                _take_fresh_key(session, rows)
                serial = _next_serial(user)
                if terms.as_of not in (None, serial):
                    raise LoginRefused(user, _oldest_first(rows, terms), terms, serial)
                current = _insert(user, terms, request, now, serial)
                _end_left(rows, left, current, now)
                _make_room(rows, current, terms, now)
                _on_commit(_announce_start, current, request)
            else:
                _follow(current, session, now)
                _end_left(rows, left, current, now)
                if terms.on_limit == policy.END_OLDEST:  # the limit may be lower by now
                    _make_room(rows, current, terms, now)
            session[SESSION_ID_KEY] = str(current.pk)
            _save(session, current)
            _on_commit(finish, _rows().of(user))
    except LoginRefused:
        _leave(left, user)
        raise
    return current


def start_token(
    user: Any,
    request: HttpRequest | None,
    lifetime: timedelta,
    issue: Callable[[UserSession], None] | None = None,
) -> UserSession:
    """Record a login that is carried by tokens, on the same terms as any other.

    Args:
        user: who signed in.
        request: the request that did it, if there is one.
        lifetime: how long the longest-lived token is valid.
        issue: makes the tokens; if it raises, there was no login, and nothing has ended.

    Returns:
        the session's row; its id is what the tokens have to carry.

    Raises:
        LoginRefused, ImproperlyConfigured, Exception: see ``start()``.
    """
    terms = _terms_for(user, request)
    with _locked({user.pk}) as now:
        rows = _lock_rows(Q(pk__in=[]), user, terms)
        serial = _next_serial(user)
        if terms.as_of not in (None, serial):
            raise LoginRefused(user, _oldest_first(rows, terms), terms, serial)
        row = _insert(user, terms, request, now, serial, token_lifetime=lifetime)
        _make_room(rows, row, terms, now)
        if issue is not None:
            issue(row)
        _on_commit(_announce_start, row, request)
    return row


def prolong(session_id: object, user_pk: object, lifetime: timedelta) -> bool:
    """Let a session that tokens carry live for at least so long from now.

    Returns:
        False if the session has ended meanwhile.
    """
    try:
        with _locked({user_pk}) as now:
            row = _for_update(_rows().live().filter(Q(pk=as_uuid(session_id)))).first()
            if row is None:
                return False
            row.expires_at = max(row.expires_at or now, now + lifetime)
            row.save(using=database(), update_fields=["expires_at"])
            return True
    except get_user_model().DoesNotExist:
        return False


def leave(user: Any, request: HttpRequest) -> None:
    """End what a browser was signed in to before it tried in vain to sign in as a user.

    ``start()`` does so itself; but where that was rolled back with the view, it has to be
    done again.
    """
    _leave(_left_by_browser(request), user)


def end(session: UserSession, reason: str) -> bool:
    """End one session.

    Args:
        session: its row, possibly stale.
        reason: an ``EndReason``.

    Returns:
        whether this call ended it; False if it had ended before.
    """
    return _end_where(session.user_id, reason, Q(pk=session.pk)) == 1


def end_all(user: Any, reason: str, keep: UserSession | uuid.UUID | None = None) -> int:
    """End a user's sessions.

    Args:
        user: whose.
        reason: an ``EndReason``.
        keep: one that stays live, or its id.

    Returns:
        how many this call ended.
    """
    kept = keep.pk if isinstance(keep, UserSession) else keep
    return _end_where(user.pk, reason, Q() if kept is None else ~Q(pk=kept))


def end_many(
    rows: UserSessionQuerySet, reason: str, progress: Callable[[int], None] | None = None
) -> int:
    """End sessions of many users, in batches: each takes the same few queries, and commits.

    Args:
        rows: which ones; those that have ended already are left alone.
        reason: an ``EndReason``.
        progress: called after each batch with the number of sessions that were looked at.

    Returns:
        how many this call ended.
    """
    ended = 0
    for batch in _batches(rows.live()):
        users = {user_pk for _, user_pk in batch}
        match = Q(pk__in=[pk for pk, _ in batch])
        with suppress(get_user_model().DoesNotExist), _locked(users) as now:
            found = list(_for_update(_rows().live().filter(match)))
            _end_rows(found, reason, now)
            ended += len(found)
        if progress is not None:
            progress(len(batch))
    return ended


def expire(rows: UserSessionQuerySet, progress: Callable[[int], None] | None = None) -> int:
    """End sessions that have expired on their own, and that nobody has noticed yet.

    What the registry knows of the expiry may be old, so the engine is asked.

    Returns:
        how many this call ended.
    """
    ended = 0
    for batch in _batches(rows.live().filter(expires_at__lte=Now())):
        due = _rows().filter(pk__in=[pk for pk, _ in batch])
        keys = dict(due.values_list("pk", "session_key"))
        held = engine.held_among({key for key in keys.values() if key}, database())
        gone = [pk for pk, key in keys.items() if key not in held]
        if gone:
            ended += end_many(_rows().filter(pk__in=gone), EndReason.EXPIRED)
        if progress is not None:
            progress(len(batch))
    return ended


def ended_before(days: int) -> UserSessionQuerySet:
    """Return the sessions that ended more than so many days ago."""
    before = ExpressionWrapper(Now() - timedelta(days=days), DateTimeField())
    return _rows().filter(ended_at__lt=before)


def prunable(days: int) -> UserSessionQuerySet:
    """Return the sessions that ended that long ago and that the engine has forgotten."""
    return ended_before(days).filter(session_key="")


def prune(days: int, progress: Callable[[int], None] | None = None) -> int:
    """Delete what ``prunable()`` returns, in batches.

    Ended rows are final: nobody else writes to them, and no lock is needed.

    Returns:
        how many rows were deleted.
    """
    pruned = 0
    for batch in _batches(prunable(days)):
        ids = [pk for pk, _ in batch]
        _, deleted = _rows().filter(pk__in=ids).delete()
        pruned += deleted.get(UserSession._meta.label, 0)
        if progress is not None:
            progress(len(ids))
    return pruned


def rotate(session_id: object, user_pk: object, old_key: str, new_key: str) -> str | None:
    """Follow a session to its new key.

    Returns:
        the key that the session has from now on, which is another one if another request
        was first to give it a new key; None if the session has ended meanwhile. Only what
        is returned may be used: what the registry doesn't know, it can't end.
    """
    try:
        with _locked({user_pk}) as now:
            row = _for_update(_rows().live().filter(Q(pk=as_uuid(session_id)))).first()
            if row is None:
                return None
            if row.session_key not in ("", old_key, new_key) and _is_held(row, now):
                return row.session_key
            row.session_key, row.key_digest = new_key, digest(new_key)
            row.save(using=database(), update_fields=["session_key", "key_digest"])
            # A racing read or a late save could bring the old key back.
            _suspect([old_key], [row])
            return new_key
    except get_user_model().DoesNotExist:
        return None


def adopt(user: Any, request: HttpRequest) -> UserSession | None:
    """Give a row to a session that the registry has never seen.

    It never ends another one: where there is no place left, it gives way itself.

    Returns:
        its row; its id is in ``request.session`` from now on. None if it had to give way,
        or if a ``LIMIT`` or ``SLOT`` callable raised.
    """
    try:
        terms = _terms_for(user, request)
    except Exception:
        return None  # it is in the log; the session's next request tries again
    session = request.session
    # It may have got a new key in this very request.
    keys = (session.session_key, request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    digests = {digest(key) for key in keys if key} if engine.keeps_keys() else set()
    try:
        with _locked({user.pk}) as now:
            rows = _lock_rows(_here(session) | Q(key_digest__in=digests), user, terms)
            row = next((r for r in rows if r.key_digest in digests), None)
            if row is not None and row.ended_at is None:
                _follow(row, session, now)
            elif row is None:
                row = _insert(user, terms, request, now, _first_serial(user))
                _give_way(row, rows, terms, now)
    except get_user_model().DoesNotExist:
        return None
    if row.ended_at is not None:
        return None
    session[SESSION_ID_KEY] = str(row.pk)
    return row


def touch(session_id: uuid.UUID, seconds: float) -> bool:
    """Record that a session is in use; free of locks, since it decides nothing yet.

    Args:
        session_id: which one.
        seconds: for how long a record that there is already will do.

    Returns:
        whether there was something to record.
    """
    stale = Q(last_seen_at__isnull=True) | Q(
        last_seen_at__lt=Now() - timedelta(seconds=seconds)
    )
    return _rows().live().filter(stale, pk=session_id).update(last_seen_at=Now()) == 1


def over_limit(user: Any) -> list[UserSession]:
    """Return those of a user's live sessions that are too many now, oldest first.

    Raises:
        ImproperlyConfigured, Exception: what comes of a ``LIMIT`` callable.
    """
    rows = list(_rows().of(user).live())
    return [row for crowd in _crowds(user, rows, timezone.now()) for row in crowd.over]


def enforce(user: Any) -> list[UserSession]:
    """End those of a user's live sessions that are too many now, after a change of limit.

    Returns:
        the sessions that this call ended for it, oldest first.

    Raises:
        ImproperlyConfigured, Exception: what comes of a ``LIMIT`` callable.
    """
    ended = []
    try:
        with _locked({user.pk}) as now:
            rows = list(_for_update(_rows().of(user).live()))
            for crowd in _crowds(user, rows, now):
                _end_rows(crowd.forgotten, EndReason.EXPIRED, now)
                _end_rows(crowd.over, EndReason.SUPERSEDED, now, replaced_by=crowd.newest)
                ended += crowd.over
    except get_user_model().DoesNotExist:
        return []
    return ended


def crowded_users() -> Iterator[list[Any]]:
    """Yield the users who may have too many live sessions, a batch at a time."""
    users = get_user_model()._base_manager.using(database())
    crowds, last = _crowded().order_by("user_id"), Q()
    while True:
        pks = crowds.filter(last).values_list("user_id", flat=True).distinct()[:CHUNK]
        batch = list(pks)
        if not batch:
            return
        found = users.in_bulk(batch)
        yield [found[pk] for pk in batch if pk in found]
        last = Q(user_id__gt=batch[-1])


def count_crowded_users() -> int:
    """Return how many users ``crowded_users()`` goes through."""
    number: int = _crowded().values("user_id").distinct().count()
    return number


def recognise(session_key: str | None, session_id: object = None) -> UserSession | None:
    """Return the row that a session key or an id belongs to, live or ended."""
    match = Q(pk=as_uuid(session_id)) if session_id else _of_key(session_key)
    return _rows().filter(match).select_related("replaced_by").first()


def ended_among(session_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Return those of some sessions that have ended, in one query if none has.

    Sessions that expired on their own and those of deactivated users end here, and what
    an earlier clean-up left behind is finished.

    Returns:
        their rows by id; None in the place of a row that is missing.
    """
    ended: dict[uuid.UUID, UserSession | None] = {}
    for chunk in _chunks(session_ids):
        sound = _rows().live().filter(pk__in=chunk, expires_at__gt=Now(), **_active_user())
        doubtful = set(chunk) - set(sound.values_list("pk", flat=True))
        if doubtful:
            ended.update(_ended_of_doubtful(doubtful))
    return ended


def finish(rows: UserSessionQuerySet | None = None) -> int:
    """Make the engine forget ended sessions that it may still hold. Idempotent.

    Args:
        rows: which ones to look at; by default all.

    Returns:
        how many this call finished.
    """
    unfinished = (_rows() if rows is None else rows).unfinished()
    finished = 0
    for chunk in _chunks(unfinished.values_list("pk", flat=True)):
        found = list(unfinished.filter(pk__in=chunk))
        # Their marks may not have been set, or not have outlived the cache.
        if _suspect([row.session_key for row in found], found):
            finished += _forget({row.pk: row.session_key for row in found})
    return finished


astart = sync_to_async(start)
aend = sync_to_async(end)
aend_all = sync_to_async(end_all)
arotate = sync_to_async(rotate)
aadopt = sync_to_async(adopt)
alive = sync_to_async(live)
arecognise = sync_to_async(recognise)
afinish = sync_to_async(finish)
aend_many = sync_to_async(end_many)


# Locks and rows


@contextmanager
def _locked(user_pks: Collection[Any]) -> Iterator[datetime]:
    """Hold the locks of some users for one transaction; yield the database's time.

    The lock is the user's row. SQLite has no row locks: there a write comes first, which
    takes the database's.
    """
    using = database()
    with transaction.atomic(using=using):
        features = connections[using].features
        users = get_user_model()._base_manager.using(using).filter(pk__in=user_pks)
        if features.has_select_for_update:
            # In one order, so that two users who swap browsers can't deadlock.
            users = users.order_by("pk").select_for_update(
                no_key=features.has_select_for_no_key_update
            )
        else:
            _rows().filter(pk=uuid.UUID(int=0)).update(slot="")
        times = list(users.values_list(Now(), flat=True))
        if not times:
            raise get_user_model().DoesNotExist
        yield times[0]


def _rows() -> UserSessionQuerySet:
    return UserSession.objects.using(database())


def _for_update(rows: UserSessionQuerySet) -> UserSessionQuerySet:
    """Read what is committed rather than a snapshot, under stricter isolation as well.

    Not on MariaDB and MySQL: there, a locking read waits for all the rows that it passes
    by, those of other users included, and logins deadlock. The user's lock suffices.
    """
    connection = connections[database()]
    features = connection.features
    if not features.has_select_for_update or connection.vendor == "mysql":
        return rows
    return rows.select_for_update(no_key=features.has_select_for_no_key_update)


def _lock_rows(known: Q, user: Any, terms: "Terms") -> list[UserSession]:
    """Return the known rows and, if there is a limit, the user's live ones in this slot."""
    if terms.limit is not None:
        known |= Q(user=user, slot=terms.slot, ended_at__isnull=True)
    return list(_for_update(_rows().filter(known)))


def _of_key(session_key: str | None) -> Q:
    if not session_key:
        return Q(pk__in=[])
    if engine.keeps_keys():
        return Q(key_digest=digest(session_key))
    return Q(pk=as_uuid(engine.store_class()(session_key).get(SESSION_ID_KEY)))


def _digest_of(session: SessionBase) -> str:
    return digest(session.session_key or "")


def _here(session: SessionBase) -> Q:
    """Match the rows that this session has, by its id and by its key."""
    by_id = Q(pk=as_uuid(session.get(SESSION_ID_KEY)))
    return by_id | _of_key(session.session_key) if engine.keeps_keys() else by_id


def _left_by_browser(request: HttpRequest) -> list[UserSession]:
    """Return the session that the browser came with, if it goes on with another one."""
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not cookie or cookie == request.session.session_key:
        return []
    return list(_rows().live().filter(_of_key(cookie)))


def _current(
    rows: Iterable[UserSession], user: Any, session: SessionBase
) -> UserSession | None:
    """Return the live row that this session already has, if it is this user's."""
    session_id = session.get(SESSION_ID_KEY)
    for row in rows:
        known = str(row.pk) == session_id or row.key_digest == _digest_of(session)
        if known and row.ended_at is None and row.user_id == user.pk:
            return row
    return None


def _take_fresh_key(session: SessionBase, rows: Iterable[UserSession]) -> None:
    """Leave a key behind that another session had: what has ended never comes back."""
    if engine.keeps_keys() and _digest_of(session) in {row.key_digest for row in rows}:
        session.cycle_key()


def _insert(
    user: Any,
    terms: "Terms",
    request: HttpRequest | None,
    now: datetime,
    serial: int,
    token_lifetime: timedelta | None = None,
) -> UserSession:
    client = client_of(request)
    row = UserSession(
        user=user,
        slot=terms.slot,
        serial=serial,
        ip=client.ip,
        user_agent=client.user_agent,
        started_at=now,
    )
    if token_lifetime is not None:
        row.kind, row.expires_at = UserSession.Kind.TOKEN, now + token_lifetime
    elif request is not None:
        row.expires_at = _expiry(request.session, now)
        _take_key(row, request.session)
    row.save(force_insert=True, using=database())
    return row


def _take_key(row: UserSession, session: SessionBase) -> None:
    if engine.keeps_keys() and session.session_key:
        row.session_key, row.key_digest = session.session_key, digest(session.session_key)


def _follow(row: UserSession, session: SessionBase, now: datetime) -> None:
    """Record what a second login in the same browser changed."""
    row.expires_at = _expiry(session, now)
    _take_key(row, session)
    row.save(using=database(), update_fields=["expires_at", "session_key", "key_digest"])


def _save(session: SessionBase, row: UserSession) -> None:
    """Make the engine hold what the registry says; else the next login finds it forgotten."""
    if engine.keeps_keys() and not engine.save(session):
        session.cycle_key()
        _take_key(row, session)
        row.save(using=database(), update_fields=["session_key", "key_digest"])


def _expiry(session: SessionBase, now: datetime) -> datetime:
    return now + timedelta(seconds=session.get_expiry_age())


def _next_serial(user: Any) -> int:
    newest: int | None = _rows().of(user).aggregate(serial=Max("serial"))["serial"]
    return 1 if newest is None else newest + 1


def _first_serial(user: Any) -> int:
    """An adopted session is older than every login that was recorded."""
    oldest: int | None = _rows().of(user).aggregate(serial=Min("serial"))["serial"]
    return 1 if oldest is None else oldest - 1


# Who gives way


@dataclass(frozen=True)
class Terms:
    """What a login is subject to.

    Attributes:
        slot: where it counts.
        limit: how many may be there.
        on_limit: what then.
        by_use: whether those unused the longest give way, or those signed in first.
        as_of: the serial that the login must get, where its user has chosen to end other
            sessions: a later login was not part of the choice, and a choice counts once.
    """

    slot: str
    limit: int | None
    on_limit: str
    by_use: bool = False
    as_of: int | None = None


def _terms_for(user: Any, request: HttpRequest | None) -> Terms:
    if getattr(request, "single_session_exempt", False):
        return Terms(EXEMPT_SLOT, None, policy.END_OLDEST)
    as_of = getattr(request, "_live_single_session_takes_over_as_of", None)
    on_limit = conf.ON_LIMIT if as_of is None else policy.END_OLDEST
    slot, limit = _slot(user, request), _limit(user, request)
    return Terms(slot, limit, on_limit, by_use(), as_of)


def by_use() -> bool:
    """Tell whether those unused the longest give way, rather than those signed in first."""
    return conf.ACTIVITY_SECONDS is not None


def _oldest_first(rows: Iterable[UserSession], terms: Terms) -> list[UserSession]:
    return policy.oldest_first(rows, by_use=terms.by_use)


def _over_limit(
    rows: Iterable[UserSession], terms: Terms, places: int = 1
) -> list[UserSession]:
    return policy.over_limit(rows, terms.limit, places=places, by_use=terms.by_use)


@contextmanager
def _naming(setting: str, user: Any) -> Iterator[None]:
    """Say in the log whose callable it was that raised, and what for."""
    try:
        yield
    except Exception:
        logger.exception(
            "LIVE_SINGLE_SESSION[%r] raised for user %s: no session is started, and none ends",
            setting,
            user.pk,
        )
        raise


def _limit(user: Any, request: HttpRequest | None) -> int | None:
    with _naming("LIMIT", user):
        return _checked_limit(user, request)


def _checked_limit(user: Any, request: HttpRequest | None) -> int | None:
    limit = conf.LIMIT
    if callable(limit):
        limit = limit(user, request)
    if limit is None or (isinstance(limit, int) and limit >= 1 and limit is not True):
        return limit
    raise ImproperlyConfigured(f"LIMIT must be a positive int or None, not {limit!r}.")


def _slot(user: Any, request: HttpRequest | None) -> str:
    slot = conf.SLOT
    length = UserSession._meta.get_field("slot").max_length
    with _naming("SLOT", user):
        return "" if slot is None else str(slot(user, request))[:length]


def _make_room(
    rows: Iterable[UserSession], current: UserSession, terms: Terms, now: datetime
) -> None:
    """Make the newcomer's place, by the terms of its login."""
    rivals = [
        row
        for row in rows
        if row.ended_at is None
        and row.pk != current.pk
        and (row.user_id, row.slot) == (current.user_id, current.slot)
    ]
    if terms.limit is None or not _over_limit(rivals, terms):
        return
    if terms.on_limit == policy.OBSERVE:
        _on_commit(_announce_observed, current, _over_limit(rivals, terms))
        return
    refusing = terms.on_limit in (policy.REFUSE, policy.ASK)
    enough = terms.limit if refusing else terms.limit - 1
    held, forgotten = _held(_oldest_first(rivals, terms), enough, now)
    over = _over_limit(held, terms)
    if over and refusing:
        held = _oldest_first(held, terms)
        raise LoginRefused(current.user, held, terms, current.serial)
    _end_rows(forgotten, EndReason.EXPIRED, now)
    _end_rows(over, EndReason.SUPERSEDED, now, replaced_by=current)


def _give_way(
    row: UserSession, rows: Iterable[UserSession], terms: Terms, now: datetime
) -> None:
    """End a session that was just adopted, if there is no place for it."""
    if terms.limit is None or terms.on_limit == policy.OBSERVE:
        return
    rivals = _oldest_first([r for r in rows if r.ended_at is None], terms)
    held, _ = _held(rivals, terms.limit, now)
    if len(held) >= terms.limit:
        newest = _oldest_first(held, terms)[-1]
        _end_rows([row], EndReason.SUPERSEDED, now, replaced_by=newest)


def _held(
    rows: Sequence[UserSession], enough: int, now: datetime
) -> tuple[list[UserSession], list[UserSession]]:
    """Tell the sessions that the engine still holds from those that it has forgotten.

    The engine is asked about the last ones first, until enough are found; the rest is
    taken for held: it has to give way in any case.
    """
    held: list[UserSession] = []
    forgotten: list[UserSession] = []
    for row in reversed(rows):
        found = len(held) >= enough or _is_held(row, now)
        (held if found else forgotten).append(row)
    return held, forgotten


def _is_held(row: UserSession, now: datetime) -> bool:
    if row.session_key:
        return engine.holds(row.session_key, row.user_id)
    return row.expires_at is None or row.expires_at > now


@dataclass(frozen=True)
class Crowd:
    """A user's live sessions in one slot, where they are too many, or were."""

    forgotten: list[UserSession]
    over: list[UserSession]
    newest: UserSession | None


def _crowds(user: Any, rows: Iterable[UserSession], now: datetime) -> Iterator[Crowd]:
    """Look at a user's live sessions slot by slot, as no login's limit covers them all."""
    limit = _limit(user, None)
    slots: dict[str, list[UserSession]] = {}
    for row in rows:
        slots.setdefault(row.slot, []).append(row)
    for slot in sorted(slots.keys() - {EXEMPT_SLOT}):
        terms = Terms(slot, limit, policy.END_OLDEST, by_use())
        if terms.limit is None or not _over_limit(slots[slot], terms, places=0):
            continue
        ordered = _oldest_first(slots[slot], terms)
        held, forgotten = _held(ordered, terms.limit, now)
        newest = held[0] if held else None
        yield Crowd(forgotten, _over_limit(held, terms, places=0), newest)


def _crowded() -> Any:
    """Return where there may be too many live sessions: counted by the database."""
    limit = conf.LIMIT
    if limit is None:
        return _rows().none().values("user_id")
    least = limit if isinstance(limit, int) else 1
    crowds = _rows().live().exclude(slot=EXEMPT_SLOT).values("user_id", "slot")
    return crowds.annotate(number=Count("pk")).filter(number__gt=least)


# Ending


def _leave(left: Iterable[UserSession], user: Any) -> None:
    """End what Django has flushed: the browser is no longer signed in to it."""
    for row in left:
        same_user = row.user_id == user.pk
        end(row, EndReason.LOGGED_OUT if same_user else EndReason.USER_SWITCHED)


def _end_where(
    user_pk: Any, reason: str, match: Q, replaced_by: UserSession | None = None
) -> int:
    try:
        with _locked({user_pk}) as now:
            rows = list(_for_update(_rows().live().filter(match, user_id=user_pk)))
            _end_rows(rows, reason, now, replaced_by)
    except get_user_model().DoesNotExist:
        return 0
    return len(rows)


def _end_left(
    rows: Iterable[UserSession],
    left: Iterable[UserSession],
    current: UserSession,
    now: datetime,
) -> None:
    """End what the browser was signed in to before it signed in to ``current``."""
    ids = {row.pk for row in left if row.pk != current.pk}
    own = [row for row in rows if row.pk in ids and row.ended_at is None]
    _end_rows(own, EndReason.SUPERSEDED, now, replaced_by=current)
    for row in left:
        if row.user_id != current.user_id:
            # Not here: whoever waits for one user's lock while holding another's deadlocks
            # with those who go the other way. Django has flushed that session already.
            switched = (row.user_id, EndReason.USER_SWITCHED, Q(pk=row.pk), current)
            _on_commit(_end_where, *switched)


def _end_rows(
    rows: list[UserSession],
    reason: str,
    now: datetime,
    replaced_by: UserSession | None = None,
) -> None:
    """End live rows; the caller holds their users' locks."""
    if not rows:
        return
    using = database()
    changes = {"ended_at": now, "end_reason": reason, "replaced_by": replaced_by}
    keys = {row.pk: row.session_key for row in rows if row.session_key}
    if engine.shares_transaction(using):
        gone = engine.delete_rows(keys.values(), using)
        keys = {pk: key for pk, key in keys.items() if key not in gone}
        is_marked = True
    else:
        is_marked = _suspect(keys.values(), rows)
    if keys and is_marked:
        _on_commit(_forget, keys)
    elif keys:
        _on_commit(finish, _rows().filter(pk__in=list(keys)))
    for row in rows:
        row.session_key = keys.get(row.pk, "")
        for name, value in changes.items():
            setattr(row, name, value)
    for chunk in _chunks(keys):
        _rows().filter(pk__in=chunk).update(**changes)
    for chunk in _chunks(row.pk for row in rows if row.pk not in keys):
        _rows().filter(pk__in=chunk).update(**changes, session_key="")
    for together in _by_user(rows):
        _on_commit(_announce_end, together)


def _forget(keys: Mapping[uuid.UUID, str]) -> int:
    """Clean up after sessions that have ended; return how many were left to clean up."""
    finished = 0
    for pk, key in keys.items():
        try:
            engine.forget(key)
        except Exception:
            logger.exception("The engine could not forget session %s; it will be retried", pk)
        else:
            finished += _rows().filter(pk=pk, session_key=key).update(session_key="")
    return finished


def _suspect(keys: Collection[str], rows: Iterable[UserSession]) -> bool:
    """Set the fence before the commit, so that a crash leaves no gap."""
    now = timezone.now()
    lifetimes = [(row.expires_at - now).total_seconds() for row in rows if row.expires_at]
    seconds = max([settings.SESSION_COOKIE_AGE, *lifetimes]) + MARGIN_SECONDS
    try:
        engine.suspect(keys, seconds)
    except Exception:
        logger.exception("The session cache could not be told that sessions end")
        return False
    return True


def _active_user() -> dict[str, bool]:
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    return {"user__is_active": True} if "is_active" in fields else {}


def _ended_of_doubtful(ids: set[uuid.UUID]) -> dict[uuid.UUID, UserSession | None]:
    """Look closer at sessions that are missing, ended, expired or deactivated."""
    now = timezone.now()
    doubtful = _rows().filter(pk__in=ids)
    for row in doubtful.live().select_related("user"):
        reason = _reason_to_end(row, now)
        if reason is not None:
            end(row, reason)
    finish(doubtful)
    rows = doubtful.select_related("replaced_by").in_bulk()
    ended: dict[uuid.UUID, UserSession | None] = dict.fromkeys(ids - rows.keys())
    return ended | {pk: row for pk, row in rows.items() if row.ended_at is not None}


def _reason_to_end(row: UserSession, now: datetime) -> EndReason | None:
    if not getattr(row.user, "is_active", True):
        return EndReason.DEACTIVATED
    # What the registry knows of the expiry may be old: the engine has the last word.
    return None if _is_held(row, now) else EndReason.EXPIRED


# On commit


def _on_commit(function: Any, *args: Any) -> None:
    # Not a ``partial``: Django names a hook that raises, and fails if that has no name.
    @wraps(function)
    def hook() -> None:
        function(*args)

    transaction.on_commit(hook, using=database(), robust=True)


def _announce_start(row: UserSession, request: HttpRequest | None) -> None:
    logger.info(
        "Session %s of user %s started", row.pk, row.user_id, extra=_facts("started", row)
    )
    session_started.send_robust(UserSession, session=row, request=request)


def _announce_observed(row: UserSession, over: list[UserSession]) -> None:
    ids = ", ".join(str(rival.pk) for rival in over)
    facts = _facts("limit_exceeded", row)
    logger.info(
        "Session %s of user %s would have ended %s", row.pk, row.user_id, ids, extra=facts
    )
    limit_exceeded.send_robust(UserSession, session=row, over=tuple(over))


def _announce_end(rows: tuple[UserSession, ...]) -> None:
    for row in rows:
        logger.info(
            "Session %s of user %s ended: %s",
            row.pk,
            row.user_id,
            row.end_reason,
            extra=_facts("ended", row),
        )
        session_ended.send_robust(UserSession, session=row, together=rows)


def _facts(event: str, row: UserSession) -> dict[str, Any]:
    """Return what a log line is about, for those who collect them: no secret is in it."""
    return {
        "event": event,
        "session_id": str(row.pk),
        "user_id": str(row.user_id),
        "slot": row.slot,
        "reason": row.end_reason or None,
    }


def _chunks(values: Iterable[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    ordered = list(values)
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]


def _batches(rows: UserSessionQuerySet) -> Iterator[list[tuple[uuid.UUID, Any]]]:
    """Return the ids of rows and of their users, some hundreds at a time."""
    ordered = rows.using(database()).order_by("pk").values_list("pk", "user_id")
    batch = list(ordered[:CHUNK])
    while batch:
        yield batch
        batch = list(ordered.filter(pk__gt=batch[-1][0])[:CHUNK])


def _by_user(rows: Iterable[UserSession]) -> Iterator[tuple[UserSession, ...]]:
    users: dict[Any, list[UserSession]] = {}
    for row in rows:
        users.setdefault(row.user_id, []).append(row)
    for together in users.values():
        yield tuple(together)
