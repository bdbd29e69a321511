"""The registry in Django's admin: read-only, with actions that end sessions.

For the admin of a site's users there is ``SignOutEverywhereMixin``, or the bare action
``sign_out_everywhere``. The package changes no ``UserAdmin`` by itself.
"""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from live_single_session.conf import conf
from live_single_session.devices import device_of
from live_single_session.models import SESSION_ID_KEY, EndReason, UserSession, as_uuid
from live_single_session.registry import maintenance, time_limits
from live_single_session.session_info import SessionInfo
from live_single_session.site_urls import reverse_or_none

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[UserSession]
    _MixedInto = admin.ModelAdmin[Any]
else:  # generic for the type checker only
    _ModelAdmin = admin.ModelAdmin
    _MixedInto = object

SIGN_OUT_EVERYWHERE = "live_single_session.sign_out_everywhere"


def those_who_may_do_more(actor: Any, users: QuerySet[Any]) -> QuerySet[Any]:
    """Return those users who may do something that the actor may not.

    Permissions are compared as Django's ``ModelBackend`` grants them: a superuser may do
    everything, others what they and their groups have been given. It takes two queries,
    however many users there are.

    Args:
        actor: who wants to end their sessions.
        users: whose sessions are to be ended.
    """
    if actor.is_superuser:
        return users.none()
    fields = {field.name for field in users.model._meta.get_fields()}
    if not {"is_superuser", "groups", "user_permissions"} <= fields:
        superusers = Q(is_superuser=True) if "is_superuser" in fields else Q(pk__in=[])
        return users.filter(superusers)
    granted = actor.get_all_permissions()
    beyond = [
        permission.pk
        for permission in Permission.objects.select_related("content_type")
        if f"{permission.content_type.app_label}.{permission.codename}" not in granted
    ]
    more = Q(is_superuser=True)
    more |= Q(user_permissions__in=beyond) | Q(groups__permissions__in=beyond)
    return users.filter(pk__in=users.model._base_manager.filter(more).values("pk"))


@admin.action(description=_("Sign out everywhere"))
def sign_out_everywhere(
    modeladmin: "admin.ModelAdmin[Any]", request: HttpRequest, queryset: QuerySet[Any]
) -> None:
    """Sign the selected users out of all their browsers and apps; for a user's admin.

    It needs the permission ``live_single_session.sign_out_everywhere``. Users who may do
    more than the actor are left alone, and so is the actor's current session.
    """
    if not request.user.has_perm(SIGN_OUT_EVERYWHERE):
        raise PermissionDenied
    spared = those_who_may_do_more(request.user, queryset)
    number_spared = spared.count()
    users = queryset.exclude(pk__in=spared.values("pk")) if number_spared else queryset
    chosen = users.order_by().values("pk")
    _end(modeladmin, request, UserSession.objects.filter(user__in=chosen))
    _tell_of_spared(modeladmin, request, number_spared)


class SignOutEverywhereMixin(_MixedInto):
    """Adds "Sign out everywhere" to the actions of an admin of users."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if self.actions is not None:
            self.actions = [*self.actions, "sign_out_everywhere"]

    @admin.action(description=_("Sign out everywhere"), permissions=["sign_out_everywhere"])
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        sign_out_everywhere(self, request, queryset)

    def has_sign_out_everywhere_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SIGN_OUT_EVERYWHERE)


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("ended", _("Ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("live", "ended"):
            return queryset.filter(ended_at__isnull=self.value() == "live")
        return queryset


class SlotFilter(admin.SimpleListFilter):
    """Filters by slot: by those of live sessions, and only where the site has slots."""

    title = _("slot")
    parameter_name = "slot"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        if conf.SLOT is None:
            return []
        slots = UserSession.objects.live().order_by("slot").values_list("slot", flat=True)
        return [(slot, slot) for slot in slots.distinct() if slot]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(slot=self.value()) if self.value() else queryset


@admin.register(UserSession)
class UserSessionAdmin(_ModelAdmin):
    """Shows the registry, read-only."""

    list_display = ("user_link", "named", "ip", "slot", "started_at", "last_seen_at", "state")
    list_display_links = ("named",)
    list_filter = (StateFilter, "end_reason", "kind", SlotFilter)
    list_select_related = ("user",)
    list_per_page = 50
    show_full_result_count = False
    ordering = ("-started_at", "-pk")
    search_help_text = _("User, IP address or session id")
    actions = ("end_selected",)
    # The session key and its digest are never shown.
    fields = (
        "id",
        "user_link",
        "kind",
        "slot",
        "named",
        "user_agent",
        "ip",
        "started_at",
        "last_seen_at",
        "expires_at",
        "ends_at",
        "ends_by",
        "shared_at",
        "ended_at",
        "end_reason",
        "replaced_by_link",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are deleted only together with their user."""
        return False

    def has_end_permission(self, request: HttpRequest) -> bool:
        codename = get_permission_codename("end", self.opts)
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = {"ends_at": time_limits.in_force(), "browser": conf.AWAY_SECONDS is not None}
        return [*self.list_display, *(name for name, is_shown in shown.items() if is_shown)]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [f"user__{get_user_model().USERNAME_FIELD}", "ip__startswith"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[UserSession], search_term: str
    ) -> tuple[QuerySet[UserSession], bool]:
        session_id = as_uuid(search_term.strip())
        if session_id is not None:
            return queryset.filter(pk=session_id), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=_("user"), ordering="user")
    def user_link(self, row: UserSession) -> str:
        return _link(row.user, str(row.user))

    @admin.display(description=_("replaced by"))
    def replaced_by_link(self, row: UserSession) -> str:
        newer = row.replaced_by
        return _link(newer, self.named(newer)) if newer else self.get_empty_value_display()

    @admin.display(description=_("device"))
    def named(self, row: UserSession) -> str:
        return row.device or str(device_of(row.user_agent) or _("Unknown device"))

    @admin.display(description=_("state"), ordering="ended_at")
    def state(self, row: UserSession) -> str:
        return str(_("Live") if row.ended_at is None else row.get_end_reason_display())

    @admin.display(description=_("browser"), ordering="present_until")
    def browser(self, row: UserSession) -> str:
        return SessionInfo(row).presence or "-"

    @admin.action(description=_("End selected sessions"), permissions=["end"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[UserSession]) -> None:
        chosen = queryset.order_by().values("user_id")
        users = get_user_model()._base_manager.filter(pk__in=chosen)
        spared = those_who_may_do_more(request.user, users)
        number = spared.count()
        _end(self, request, queryset.order_by().exclude(user__in=spared.values("pk")))
        _tell_of_spared(self, request, number)


def _end(modeladmin: "admin.ModelAdmin[Any]", request: HttpRequest, rows: Any) -> None:
    """End sessions, except the actor's current one."""
    own = as_uuid(request.session.get(SESSION_ID_KEY))
    rows = UserSession.objects.filter(pk__in=rows.values("pk")).filter(~Q(pk=own))
    ended = maintenance.end_many(rows, EndReason.REVOKED_BY_STAFF)
    told = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", ended)
    modeladmin.message_user(request, told % {"count": ended}, messages.SUCCESS)


def _tell_of_spared(
    modeladmin: "admin.ModelAdmin[Any]", request: HttpRequest, number: int
) -> None:
    if number:
        told = ngettext(
            "%(count)d user may do more than you: their sessions were left alone.",
            "%(count)d users may do more than you: their sessions were left alone.",
            number,
        )
        modeladmin.message_user(request, told % {"count": number}, messages.WARNING)


def _link(target: Model, text: str) -> str:
    """Return a link to an object's own page in the admin, if it has one."""
    opts = target._meta
    name = f"admin:{opts.app_label}_{opts.model_name}_change"
    url = reverse_or_none(name, args=[target.pk])
    if url is None:
        return text
    return format_html('<a href="{}">{}</a>', url, text)
