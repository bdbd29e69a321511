"""``manage.py check_live_session``: do registry, engine and channel layer answer?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from live_single_session import health


class Command(BaseCommand):
    help = (
        "Ask the registry, the session engine and the channel layer whether they answer. "
        "Exit codes: 0 all do; 1 signed-in users can't be served; 2 wrong arguments; "
        "3 only the channel layer doesn't, so that tabs are told late."
    )
    requires_system_checks: list[str] = []  # they ask the database, too

    def handle(self, *args: Any, **options: Any) -> None:
        """Write a line for each of them."""
        failed = []
        for answer in health.ask():
            self.stdout.write(f"{answer.name}: {answer.problem or 'ok'}")
            if not answer.ok:
                failed.append(answer)
        if failed:
            names = ", ".join(answer.name for answer in failed)
            fatal = any(map(health.is_fatal, failed))
            raise CommandError(f"Not as it should be: {names}.", returncode=1 if fatal else 3)
