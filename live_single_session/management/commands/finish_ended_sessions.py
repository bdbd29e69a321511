"""``manage.py finish_ended_sessions``: cleans up after a process that died."""

from typing import Any

from django.core.management.base import BaseCommand

from live_single_session.registry import cleanup


class Command(BaseCommand):
    help = (
        "Make the session engine forget sessions that have ended, where a process died "
        "before it had done so. May be run at any time, on any number of machines."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        finished = cleanup.finish()
        if options["verbosity"] > 0:
            self.stdout.write(
                f"Finished {finished} ended session{'' if finished == 1 else 's'}."
            )
