"""``manage.py end_sessions``: signs users out, and tells their tabs."""

import ipaddress
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError
from django.db.models import Count
from django.http import HttpRequest

from live_single_session.management.progress import progress
from live_single_session.models import EndReason, UserSession, UserSessionQuerySet
from live_single_session.registry import db, maintenance
from live_single_session.request_state import serving

DECLINED = 3


class Command(BaseCommand):
    help = (
        "Ends live sessions at once and everywhere, in batches. "
        "Exit codes: 0 done, or nothing to do; 1 failed; 2 wrong arguments; 3 declined."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        who = parser.add_argument_group("whose sessions (all that is given must hold)")
        who.add_argument("--all", action="store_true", help="everybody's")
        who.add_argument(
            "--user",
            action="append",
            default=[],
            metavar="NAME",
            help="those of this user; may be repeated",
        )
        who.add_argument(
            "--ip",
            action="append",
            default=[],
            metavar="ADDRESS",
            help="those started from this address; may be repeated",
        )
        who.add_argument(
            "--except",
            action="append",
            default=[],
            dest="spared",
            metavar="NAME",
            help="but not those of this user; may be repeated",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many")
        parser.add_argument(
            "--no-input",
            "--noinput",
            action="store_false",
            dest="interactive",
            help="don't ask whether to go on",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["all"] or options["user"] or options["ip"]):
            raise CommandError("Say whose sessions: --all, --user or --ip.", returncode=2)
        rows = _rows(options)
        found = rows.aggregate(sessions=Count("pk"), users=Count("user", distinct=True))
        sessions, users = found["sessions"], found["users"]
        self.stdout.write(f"Live sessions found: {sessions}, of users: {users}.")
        if options["dry_run"] or not sessions:
            return
        if options["interactive"]:
            self._ask(sessions)
        # As in a request: a channel layer that doesn't answer is waited for only once.
        with (
            serving(HttpRequest()),
            progress(sessions, self.stderr, "Sessions ended") as advance,
        ):
            ended = maintenance.end_many(rows, EndReason.REVOKED_BY_STAFF, advance)
        self.stdout.write(self.style.SUCCESS(f"Sessions ended: {ended}."))

    def _ask(self, sessions: int) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody is there to confirm it: add --no-input.", returncode=2)
        answer = input(f"End {sessions} sessions? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was ended.", returncode=DECLINED)


def _rows(options: dict[str, Any]) -> UserSessionQuerySet:
    rows = UserSession.objects.using(db.database()).live()
    if options["user"]:
        rows = rows.filter(user__in=_users(options["user"]))
    if options["spared"]:
        rows = rows.exclude(user__in=_users(options["spared"]))
    if options["ip"]:
        rows = rows.filter(ip__in=[_address(ip) for ip in options["ip"]])
    return rows


def _users(names: list[str]) -> list[Any]:
    """Return the primary keys of users; fail if a name is unknown."""
    model = get_user_model()
    name = model.USERNAME_FIELD
    users = model._base_manager.using(db.database()).filter(**{f"{name}__in": names})
    found = {str(user[0]): user[1] for user in users.values_list(name, "pk")}
    unknown = ", ".join(repr(name) for name in names if name not in found)
    if unknown:
        raise CommandError(f"There is no user {unknown}.")
    return list(found.values())


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise CommandError(f"{text!r} is no IP address.", returncode=2) from error
