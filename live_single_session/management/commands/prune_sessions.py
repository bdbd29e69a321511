"""``manage.py prune_sessions``: deletes old rows of ended sessions; to be run daily."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db.models import Q

from live_single_session.conf import conf
from live_single_session.management.progress import progress
from live_single_session.models import UserSession
from live_single_session.registry import cleanup, db, maintenance, time_limits


class Command(BaseCommand):
    help = (
        "Ends the sessions that expired unnoticed, and deletes those that ended long ago, "
        "in batches. Exit codes: 0 done; 1 failed, or the session engine did not forget some "
        "of them; 2 wrong arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=int,
            metavar="DAYS",
            help="how long ended sessions are kept; default: KEEP_ENDED_DAYS",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say how many")

    def handle(self, *args: Any, **options: Any) -> None:
        days = conf.KEEP_ENDED_DAYS if options["days"] is None else options["days"]
        if days < 0:
            raise CommandError("--days must be 0 or more.", returncode=2)
        rows = UserSession.objects.using(db.database())
        overdue = rows.live().filter(Q(expires_at__lte=db.Now()) | time_limits.overdue())
        number = overdue.count()
        if options["dry_run"]:
            self.stdout.write(f"Sessions past their expiry: {number}.")
            self.stdout.write(
                f"Ended sessions to delete: {maintenance.prunable(days).count()}."
            )
            return
        with progress(number, self.stderr, "Sessions looked at") as advance:
            expired = maintenance.expire(rows, advance)
        self.stdout.write(f"Sessions that had expired: {expired}.")
        cleanup.finish(maintenance.ended_before(days))
        old = maintenance.prunable(days)
        with progress(old.count(), self.stderr, "Sessions deleted") as advance:
            pruned = maintenance.prune(days, advance)
        self.stdout.write(self.style.SUCCESS(f"Ended sessions deleted: {pruned}."))
        left = maintenance.ended_before(days).unfinished().count()
        if left:
            raise CommandError(f"Sessions that the engine has not forgotten yet: {left}.")
