"""The registry's table: one row for each login of one user in one browser or app."""

import hashlib
import uuid
from typing import Any

from django.conf import settings
from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

USER_AGENT_LENGTH = 400
DEVICE_LENGTH = 100

# Where a session's data holds the id of its row. Keys rotate; the id stays.
SESSION_ID_KEY = "_live_single_session"


def digest(session_key: str) -> str:
    """Return the SHA-256 of a session key, by which a dead cookie is recognised."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def as_uuid(value: object) -> uuid.UUID | None:
    """Return a UUID read from an untrusted value; None where it is none."""
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return None


class EndReason(models.TextChoices):
    """Why a session ended."""

    SUPERSEDED = "superseded", _("a newer sign-in took its place")
    LOGGED_OUT = "logged_out", _("signed out")
    REVOKED = "revoked", _("ended by the user")
    REVOKED_BY_STAFF = "revoked_by_staff", _("ended by an administrator")
    PASSWORD_CHANGED = "password_changed", _("the password was changed")
    USER_SWITCHED = "user_switched", _("somebody else signed in in this browser")
    DEACTIVATED = "deactivated", _("the account was deactivated")
    EXPIRED = "expired", _("the session expired")


def cascade(collector: Any, field: Any, sub_objs: Any, using: str) -> None:
    """Delete a user's sessions with the user; nothing before ``migrate`` has made the table.

    A site may be deployed before it is migrated, and its users can be deleted meanwhile.
    """
    if _has_table(using):
        models.CASCADE(collector, field, sub_objs, using)


# Django looks for rows before it calls what doesn't say this, as its own SET_NULL does.
cascade.lazy_sub_objs = True  # type: ignore[attr-defined]


def _has_table(using: str) -> bool:
    """Ask the database until the table is there, and then no more."""
    if using not in _databases_with_table:
        names = connections[using].introspection.table_names()
        if UserSession._meta.db_table not in names:
            return False
        _databases_with_table.add(using)
    return True


_databases_with_table: set[str] = set()


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def live(self) -> "UserSessionQuerySet":
        """Return the sessions that may still be used, as far as the registry knows."""
        return self.filter(ended_at__isnull=True)

    def ended(self) -> "UserSessionQuerySet":
        """Return the sessions that may never be used again."""
        return self.filter(ended_at__isnull=False)

    def of(self, user: models.Model) -> "UserSessionQuerySet":
        """Return the sessions of one user."""
        return self.filter(user_id=user.pk)

    def unfinished(self) -> "UserSessionQuerySet":
        """Return the outbox: ended sessions that the engine may not have forgotten yet."""
        return self.ended().exclude(session_key="")


class UserSession(models.Model):
    """One login of one user. Written by ``live_single_session.registry`` only."""

    class Kind(models.TextChoices):
        SESSION = "session", _("browser session")
        TOKEN = "token", _("token")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=cascade,
        related_name="+",
        related_query_name="live_single_session",
        db_index=False,  # both indexes below begin with it
    )
    slot = models.CharField(_("slot"), max_length=64, blank=True)
    kind = models.CharField(
        _("kind"), max_length=16, choices=Kind.choices, default=Kind.SESSION
    )
    session_key = models.CharField(_("session key"), max_length=128, blank=True)
    key_digest = models.CharField(
        _("key digest"), max_length=64, unique=True, null=True, blank=True
    )
    serial = models.BigIntegerField(
        _("serial number"),
        help_text=_("Orders the logins of one user, without ties and without clocks."),
    )
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=USER_AGENT_LENGTH, blank=True)
    # The name that an app gave its device.
    device = models.CharField(_("device"), max_length=DEVICE_LENGTH, blank=True)
    started_at = models.DateTimeField(_("signed in"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(
        _("why it ended"), max_length=32, choices=EndReason.choices, blank=True
    )
    replaced_by = models.ForeignKey(
        "self",
        verbose_name=_("replaced by"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
    )

    objects = UserSessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        permissions = [
            ("end_usersession", _("Can end sessions of others")),
            ("sign_out_everywhere", _("Can sign users out everywhere")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["user", "serial"], name="live_single_session_order")
        ]
        indexes = [
            models.Index(fields=["user", "ended_at"], name="live_single_session_live"),
            models.Index(fields=["ended_at"], name="live_single_session_ended"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def __repr__(self) -> str:
        return f"<UserSession {self.pk}: {self.end_reason or 'live'}>"
