"""The registry's table: one row for each login of one user in one browser or app."""

import hashlib
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

USER_AGENT_LENGTH = 400
DEVICE_LENGTH = 100

# The key under which a session's data holds the id of its row. Session keys rotate; the
# id doesn't.
SESSION_ID_KEY = "_live_single_session"
# Where it holds the name of the installation that gave the id.
INSTALLATION_KEY = "_live_single_session_installation"
# Where it holds the digest of its key, once the registry has committed that key.
FINGERPRINT_KEY = "_live_single_session_key"


def digest(session_key: str) -> str:
    """Return the SHA-256 of a session key, to recognise the cookie of an ended session."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def id_of_key(session_key: str) -> uuid.UUID:
    """Return the id that a session from before the installation gets with its row.

    It is the key's own: whatever a late save leaves of such a session is recognised by it.
    It says that it was made from a name (RFC 9562, section 5.5): MariaDB refuses most UUIDs
    that are of no version.
    """
    return uuid.UUID(digest(f"adopted {session_key}")[:32], version=5)


def as_uuid(value: object) -> uuid.UUID | None:
    """Return a UUID read from an untrusted value; None if it isn't one."""
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
    IDLE = "idle", _("not used for too long")
    LIFETIME = "lifetime", _("the sign-in was too long ago")
    REMOVED = "removed", _("the session was removed on the server")
    SHARED = "shared", _("used in two browsers at once")


TIME_LIMITS = (EndReason.IDLE, EndReason.LIFETIME)


class AnyUser(models.Func):
    """The primary key of a user, whom PostgreSQL takes for an average one.

    Else it may read the whole table for one who has many ended sessions.
    """

    template = "(SELECT %(expressions)s)"

    def __init__(self, user_pk: Any) -> None:
        field = UserSession._meta.get_field("user").target_field
        super().__init__(models.Value(user_pk, output_field=field), output_field=field)


class UserSessionQuerySet(models.QuerySet["UserSession"]):
    def live(self) -> "UserSessionQuerySet":
        """Return the sessions that have not ended, as far as the registry knows."""
        return self.filter(ended_at__isnull=True)

    def ended(self) -> "UserSessionQuerySet":
        """Return the sessions that have ended."""
        return self.filter(ended_at__isnull=False)

    def of(self, user: Any) -> "UserSessionQuerySet":
        """Return the sessions of one user, or of the one with this primary key."""
        return self.filter(user_id=AnyUser(getattr(user, "pk", user)))

    def unfinished(self) -> "UserSessionQuerySet":
        """Return ended sessions whose data the session engine may still hold."""
        return self.ended().filter(session_key__gt="")  # finds its index, unlike "not equal"


class UserSession(models.Model):
    """One login of one user. Written by ``live_single_session.registry`` only."""

    class Kind(models.TextChoices):
        SESSION = "session", _("browser session")
        TOKEN = "token", _("token")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        # Rows go with their user by a receiver, and nothing else depends on this table: a
        # site can delete users before it is made, and after the app has been taken out.
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        related_query_name="live_single_session",
        db_index=False,  # the indexes below begin with it
    )
    slot = models.CharField(_("slot"), max_length=64, blank=True)
    kind = models.CharField(
        _("kind"), max_length=16, choices=Kind.choices, default=Kind.SESSION
    )
    session_key = models.CharField(_("session key"), max_length=128, blank=True)
    key_digest = models.CharField(
        _("key digest"), max_length=64, unique=True, null=True, blank=True
    )
    left_digest = models.CharField(  # noqa: DJ001 - most have none, and need no index entry
        _("digest of the key before"), max_length=64, null=True, blank=True, db_index=True
    )
    serial = models.BigIntegerField(
        _("serial number"),
        help_text=_("Orders the logins of one user, without ties and without clocks."),
    )
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=USER_AGENT_LENGTH, blank=True)
    # The name that an app gave its device, or its user on the sessions page.
    device = models.CharField(_("device"), max_length=DEVICE_LENGTH, blank=True)
    started_at = models.DateTimeField(_("signed in"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    ends_at = models.DateTimeField(
        _("will end"),
        null=True,
        blank=True,
        help_text=_("The earliest of its limits in time, if it has any."),
    )
    ends_by = models.CharField(
        _("why it will end"),
        max_length=32,
        choices=[(reason.value, reason.label) for reason in TIME_LIMITS],
        blank=True,
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(
        _("why it ended"), max_length=32, choices=EndReason.choices, blank=True
    )
    announced_at = models.DateTimeField(
        _("end announced"),
        null=True,
        blank=True,
        help_text=_("When the site's receivers of session_ended have run."),
    )
    present_until = models.DateTimeField(
        _("open until"),
        null=True,
        blank=True,
        help_text=_("Until when its browser is known to be open; past: since when it is not."),
    )
    shared_at = models.DateTimeField(
        _("found shared"),
        null=True,
        blank=True,
        help_text=_("When two browsers were found to use it at once."),
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
            # An ended row whose key isn't blank is unfinished work.
            models.Index(fields=["user", "session_key"], name="live_single_session_keys"),
            models.Index(fields=["ended_at"], name="live_single_session_ended"),
            models.Index(
                fields=["announced_at", "ended_at"], name="live_single_session_untold"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def __repr__(self) -> str:
        return f"<UserSession {self.pk}: {self.end_reason or 'live'}>"


class Installation(models.Model):
    """The name of this installation: one row. Sessions of another one are not ours.

    The name begins with what identifies the database and schema that it was made in: two
    names with the same beginning are of installations that came after each other there.
    """

    name = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
