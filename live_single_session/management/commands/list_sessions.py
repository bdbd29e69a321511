"""``manage.py list_sessions``: lists where users are signed in."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from live_single_session.management import summary
from live_single_session.management.lines import HEADING, json_of, line_of
from live_single_session.models import UserSession
from live_single_session.registry import db, maintenance, records, statistics


class Command(BaseCommand):
    help = (
        "List the live sessions, as far as the registry knows, each user's oldest first. "
        "Exit codes: 0 done; 1 failed; 2 wrong arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="only this user's, by user name")
        parser.add_argument(
            "--over-limit",
            action="store_true",
            help="only those that are too many: what enforce_limits would end",
        )
        parser.add_argument(
            "--shared",
            action="store_true",
            help="only those that two browsers were found to use at once (ON_SHARED)",
        )
        parser.add_argument(
            "--ended", action="store_true", help="those that have ended instead"
        )
        parser.add_argument(
            "--summary",
            action="store_true",
            help="instead of a list: how many users have how many live sessions, and how "
            "many of them a limit would interrupt in a day",
        )
        parser.add_argument("--json", action="store_true", help="an object in each line")

    def handle(
        self, *args: Any, user: str | None, over_limit: bool, ended: bool, **options: Any
    ) -> None:
        """Write a line for each session, or a summary."""
        if options["shared"] and (over_limit or options["summary"]):
            raise CommandError("--shared is a list of its own.", returncode=2)
        if ended and (over_limit or options["summary"]):
            raise CommandError("Sessions that have ended are over no limit.", returncode=2)
        only = None if user is None else self._user(user)
        if options["summary"]:
            self._summarize(only, as_json=options["json"])
            return
        shared = options["shared"]
        rows = self._over_limit(only) if over_limit else _listed(only, ended, shared)
        if not options["json"]:
            self.stdout.write(HEADING)
        describe = json_of if options["json"] else line_of
        for row in rows:
            self.stdout.write(describe(row, row.user))

    def _user(self, name: str) -> Any:
        try:
            return get_user_model()._default_manager.get_by_natural_key(name)
        except get_user_model().DoesNotExist:
            raise CommandError(f"There is no user {name!r}.") from None

    def _summarize(self, only: Any, *, as_json: bool) -> None:
        found = statistics.summarize(only)
        for line in [summary.json_of(found)] if as_json else summary.lines_of(found):
            self.stdout.write(line)

    def _over_limit(self, only: Any) -> Iterator[UserSession]:
        batches = maintenance.users_over_limit() if only is None else [[only]]
        for user in chain.from_iterable(batches):
            for row in maintenance.over_limit(user):
                records.remember_user(row, user)
                yield row


def _listed(only: Any, ended: bool, shared: bool) -> Iterator[UserSession]:
    """Return the sessions, read some hundreds at a time: there may be very many."""
    known = UserSession.objects.using(db.database()).select_related("user")
    rows = known.ended() if ended else known.live()
    if only is not None:
        rows = rows.of(only)
    if shared:
        rows = rows.filter(shared_at__isnull=False)
    return rows.order_by("user_id", "serial").iterator(chunk_size=db.CHUNK)
