"""``manage.py list_sessions``: who is signed in where."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from live_single_session import registry
from live_single_session.management.lines import HEADING, line_of
from live_single_session.models import UserSession


class Command(BaseCommand):
    help = "List the live sessions, as far as the registry knows, each user's oldest first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", help="only this user's, by user name")
        parser.add_argument(
            "--over-limit",
            action="store_true",
            help="only those that are too many: what enforce_limits would end",
        )

    def handle(self, *args: Any, user: str | None, over_limit: bool, **options: Any) -> None:
        """Write a line for each session."""
        only = None if user is None else self._user(user)
        rows = self._over_limit(only) if over_limit else _live(only)
        self.stdout.write(HEADING)
        for row in rows:
            self.stdout.write(line_of(row, row.user))

    def _user(self, name: str) -> Any:
        try:
            return get_user_model()._default_manager.get_by_natural_key(name)
        except get_user_model().DoesNotExist:
            raise CommandError(f"There is no user {name!r}.") from None

    def _over_limit(self, only: Any) -> Iterator[UserSession]:
        batches = registry.crowded_users() if only is None else [[only]]
        for user in chain.from_iterable(batches):
            for row in registry.over_limit(user):
                row.user = user
                yield row


def _live(only: Any) -> Iterator[UserSession]:
    rows = UserSession.objects.using(registry.database()).live().select_related("user")
    if only is not None:
        rows = rows.of(only)
    return rows.order_by("user_id", "serial").iterator(chunk_size=registry.CHUNK)
