"""``manage.py enforce_limits``: applies a lower limit to users who are signed in."""

from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from live_single_session.management.lines import line_of
from live_single_session.management.progress import progress
from live_single_session.registry import maintenance


class Command(BaseCommand):
    help = (
        "End the sessions that are over the limit now: each user's oldest or, with "
        "ACTIVITY_SECONDS, the least recently used. Their tabs are told at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would end, and end nothing"
        )

    def handle(self, *args: Any, dry_run: bool, verbosity: int, **options: Any) -> None:
        """Go through the users who may have too many sessions, each in a transaction."""
        look = maintenance.over_limit if dry_run else maintenance.enforce
        tells = verbosity >= (1 if dry_run else 2)
        over, failed = 0, 0
        with progress(maintenance.count_users_over_limit(), self.stderr, "Users") as advance:
            for user in chain.from_iterable(maintenance.users_over_limit()):
                try:
                    rows = look(user)
                except Exception as error:  # go on with the other users
                    self.stderr.write(f"User {user.pk}: {error!r}")
                    failed += 1
                    rows = []
                over += len(rows)
                for row in rows if tells else ():
                    self.stdout.write(line_of(row, user))
                advance(1)
        label = "Sessions over the limit" if dry_run else "Sessions ended"
        self.stdout.write(self.style.SUCCESS(f"{label}: {over}."))
        if failed:
            raise CommandError(f"Users whose limit could not be found out: {failed}.")
