"""What happens to users, written into the registry: signing in and out, and the rest.

A sign-in is a session's only when that session belongs to that user afterwards:
``user_logged_in`` also comes from API tokens, from ``channels.auth.login`` (without a
request) and from tests with bare requests.
"""

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_save, pre_delete, pre_save
from django.http import HttpRequest

from live_single_session import registry
from live_single_session.django_internals import has_new_password
from live_single_session.exceptions import LoginRefused
from live_single_session.http import pending_login, responses
from live_single_session.models import SESSION_ID_KEY, EndReason, as_uuid
from live_single_session.registry import db, events, records
from live_single_session.request_state import Started, current_request, django_request, state_of

logger = logging.getLogger("live_single_session")


def connect() -> None:
    """Connect the receivers; called when the app is ready."""
    user_logged_in.connect(signed_in, dispatch_uid="live_single_session")
    user_logged_out.connect(signed_out, dispatch_uid="live_single_session")
    for model in _with_subclasses(get_user_model()):
        pre_save.connect(user_is_saved, sender=model, dispatch_uid="live_single_session")
        post_save.connect(user_saved, sender=model, dispatch_uid="live_single_session")
        pre_delete.connect(user_deleted, sender=model, dispatch_uid="live_single_session")


def _with_subclasses(model: Any) -> Iterator[Any]:
    """Yield a model, its proxies and its children: what is saved as one of them is a user."""
    yield model
    for subclass in model.__subclasses__():
        yield from _with_subclasses(subclass)


def signed_in(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Start the session that this login made; a login that cannot be recorded fails."""
    if request is None or not _is_signed_in(request, user):
        return
    request = django_request(request)
    try:
        row = registry.start(user, request)
    except LoginRefused as refused:
        _sign_out_again(request, pending_login.kept_data(request, refused))
        events.send_refused(refused, request)
        raise
    except Exception:
        logger.error("The sign-in of user %s failed: it could not be recorded", user.pk)
        _sign_out_again(request)
        raise
    responses.drop_message(request)
    pending_login.forget_refusals(request.session)
    started = Started(str(row.pk), request.session.session_key)
    state_of(request).started = started
    transaction.on_commit(
        lambda: setattr(started, "committed", True), using=db.database(), robust=True
    )


def signed_out(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """End the session that the user signs out of, for all tabs of that browser."""
    session = getattr(request, "session", None)
    if request is None or session is None or SESSION_KEY not in session:
        return
    request = django_request(request)
    state_of(request).signed_out = True
    # Its id may have been lost: a request beside its adoption saves what it had loaded.
    row = records.find_session(session.session_key, session.get(SESSION_ID_KEY))
    if row is not None:
        registry.end(row, EndReason.LOGGED_OUT)


def user_is_saved(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    """Notice that a user's password is taken away: afterwards, nothing tells."""
    if raw or instance._state.adding or not _was_saved("password", update_fields):
        return
    unusable = not is_password_usable(getattr(instance, "password", None))
    if unusable and db.looks_in(using):
        users = sender._base_manager.using(using).filter(pk=instance.pk)
        before = users.values_list("password", flat=True).first()
        if is_password_usable(before):
            _note_new_password(instance)


def user_saved(
    instance: Any, created: bool, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    """End the sessions of a user who was deactivated or got another password."""
    if raw:
        return
    if has_new_password(instance):
        _note_new_password(instance)
    if not db.looks_in(using):
        return
    gets_new_password = _was_saved("password", update_fields) and _takes_new_password(instance)
    if created:
        return
    if _was_saved("is_active", update_fields) and not getattr(instance, "is_active", True):
        registry.end_all(instance, EndReason.DEACTIVATED)
    elif gets_new_password:
        registry.end_all(instance, EndReason.PASSWORD_CHANGED, keep=_session_of(instance))


def user_deleted(instance: Any, using: str, **kwargs: Any) -> None:
    """End the sessions of a user who is about to be deleted."""
    if db.looks_in(using):
        registry.end_all(instance, EndReason.DEACTIVATED)


def _note_new_password(user: Any) -> None:
    user._live_single_session_new_password = user.password


def _takes_new_password(user: Any) -> bool:
    """Forget the new password that is stored by now, unless it was dropped before."""
    new = user.__dict__.pop("_live_single_session_new_password", None)
    return new is not None and new == user.password


def _was_saved(field: str, update_fields: Any) -> bool:
    return update_fields is None or field in update_fields


def _is_signed_in(request: HttpRequest, user: Any) -> bool:
    session = getattr(request, "session", None)
    return session is not None and session.get(SESSION_KEY) == _in_session(user)


def _in_session(user: Any) -> str:
    return str(user._meta.pk.value_to_string(user))


def _session_id(request: HttpRequest | None) -> Any:
    session = getattr(request, "session", None)
    return None if session is None else as_uuid(session.get(SESSION_ID_KEY))


def _session_of(user: Any) -> Any:
    """Return the id of the session in which this user works right now, if any."""
    request = current_request()
    if request is None:
        return None
    bearer = state_of(request).bearer
    if bearer is not None and bearer.user_pk == user.pk:
        return bearer.session_id
    return _session_id(request) if _is_signed_in(request, user) else None


def _sign_out_again(request: HttpRequest, kept: dict[str, Any] | None = None) -> None:
    """Leave nothing of a login that failed, and in the session only what is ``kept``."""
    # What the browser was signed in to before is over; it needn't be told.
    state_of(request).signed_out = True
    request.session.flush()
    request.session.update(kept or {})
    request.user = AnonymousUser()

    async def anonymous() -> AnonymousUser:
        return AnonymousUser()

    request.auser = anonymous
