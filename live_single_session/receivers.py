"""Record what happens to users: sign-ins, new passwords, deactivation, deletion.

A sign-in counts only if the request's session belongs to that user afterwards:
``user_logged_in`` is also sent for API tokens, by ``channels.auth.login`` (without a
request) and by tests with bare requests.
"""

import logging
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save
from django.http import HttpRequest

from live_single_session import registry
from live_single_session.django_internals import has_new_password
from live_single_session.exceptions import LoginRefused, PasswordChanged
from live_single_session.http import pending_login, responses
from live_single_session.models import EndReason
from live_single_session.registry import (
    db,
    engine,
    events,
    installation,
    maintenance,
    new_password,
)
from live_single_session.request_state import django_request
from live_single_session.session_user import is_of_user_model, is_signed_in, session_id_here

logger = logging.getLogger("live_single_session")


def connect() -> None:
    """Connect the receivers; called when the app is ready."""
    user_logged_in.connect(signed_in, dispatch_uid="live_single_session")
    for model in _with_subclasses(get_user_model()):
        pre_save.connect(user_is_saved, sender=model, dispatch_uid="live_single_session")
        post_save.connect(user_saved, sender=model, dispatch_uid="live_single_session")
        pre_delete.connect(user_is_deleted, sender=model, dispatch_uid="live_single_session")
        post_delete.connect(user_deleted, sender=model, dispatch_uid="live_single_session")


def _with_subclasses(model: Any) -> Iterator[Any]:
    """Yield a model, its proxies and its children: what is saved as one of them is a user."""
    yield model
    for subclass in model.__subclasses__():
        yield from _with_subclasses(subclass)


def signed_in(request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    """Start the session that this login made; a login that cannot be recorded fails."""
    if request is None or not is_of_user_model(user) or not is_signed_in(request, user):
        return
    request = django_request(request)
    if not _is_registry_in_use(request):
        return
    pending_login.note_choice(request)
    try:
        registry.start(user, request)
    except LoginRefused as refused:
        _sign_out_again(request, pending_login.kept_data(request, refused))
        events.send_refused(refused, request)
        raise
    except PasswordChanged:
        logger.info("The sign-in of user %s came after a change of password", user.pk)
        _sign_out_again(request)
        return
    except Exception:
        logger.error("The sign-in of user %s failed: it could not be recorded", user.pk)
        _sign_out_again(request)
        raise
    responses.drop_message(request)
    pending_login.forget_refusals(request.session)


def user_is_saved(
    sender: Any, instance: Any, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    """Notice that a user's password is about to be removed: the saved user doesn't show it."""
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
    if not db.looks_in(using) or not installation.is_installed():
        return
    gets_new_password = _was_saved("password", update_fields) and _takes_new_password(instance)
    if created:
        return
    if _was_saved("is_active", update_fields) and not getattr(instance, "is_active", True):
        registry.end_all(instance, EndReason.DEACTIVATED)
    elif gets_new_password:
        new_password.end_outdated(instance, keep=session_id_here(instance))


def user_is_deleted(instance: Any, using: str, **kwargs: Any) -> None:
    """End the sessions of a user who is about to be deleted."""
    if db.looks_in(using) and installation.is_installed():
        registry.end_all(instance, EndReason.DEACTIVATED)


def user_deleted(instance: Any, using: str, **kwargs: Any) -> None:
    """Delete the rows of a user who was deleted."""
    if db.looks_in(using) and installation.is_installed():
        maintenance.forget_user(instance.pk)


def _is_registry_in_use(request: HttpRequest) -> bool:
    """Tell whether a sign-in can be recorded; if not, it works as without this package."""
    if not installation.is_installed():
        return False
    if engine.is_gated(request.session):
        return True
    logger.error(
        "The session engine %s lets ended sessions live on: sign-ins are not limited. "
        "manage.py check names the engine to use instead.",
        type(request.session).__module__,
    )
    return False


def _note_new_password(user: Any) -> None:
    user._live_single_session_new_password = user.password


def _takes_new_password(user: Any) -> bool:
    """Forget the new password that was noted; tell whether it is the one that was saved."""
    new = user.__dict__.pop("_live_single_session_new_password", None)
    return new is not None and new == user.password


def _was_saved(field: str, update_fields: Any) -> bool:
    return update_fields is None or field in update_fields


def _sign_out_again(request: HttpRequest, kept: dict[str, Any] | None = None) -> None:
    """Leave nothing of a login that failed, and in the session only what is ``kept``."""
    session: Any = request.session
    if kept is None and not session.has_begun:
        session.leave()  # the user may be signed in there, and be changing the password
    else:
        session.flush()
        # What the browser was signed in to before is over; it needn't be told.
        session.signed_out = True
    session.update(kept or {})
    request.user = AnonymousUser()

    async def anonymous() -> AnonymousUser:
        return AnonymousUser()

    request.auser = anonymous
