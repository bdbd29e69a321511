"""What has to be true once two operations are over, in whatever order they went."""

from collections.abc import Iterator

from live_single_session.models import UserSession, digest
from tests.explore.operations import KEEPING, Operation, sign_in_elsewhere
from tests.explore.world import World

FAILED = "a request failed"
STRAY = "a key works that is not the current one of a live session"
SIGNED_OUT = "signed out by working in it"
TOO_MANY = "more live sessions than the limit"
OUTLIVED = "a key works after the logins elsewhere"
NOT_IN = "the newest login is not signed in"


def problems(world: World, first: Operation, second: Operation) -> Iterator[str]:
    """Look at the site after two operations; then sign in elsewhere, and look again."""
    if any(status == 400 or status >= 500 for status in world.answers):
        yield f"{FAILED}: {world.answers}"
    presented = {world.key, *world.cookies, *world.others} - {None}
    keys = presented | world.stored_keys()
    users = _users_of(world, keys)
    live = list(UserSession.objects.live().select_related("user"))
    current = {(row.key_digest, row.user.get_username()) for row in live}
    if any((digest(key), user) not in current for key, user in users.items()):
        yield STRAY
    if _most_of_one_user(live) > world.site.limit:
        yield TOO_MANY
    if _keeps_browser(world, first, second):
        left_with = world.cookies or [world.key]
        if not any(users.get(key) == "alice" for key in left_with):
            yield f"{SIGNED_OUT}: {world.cookies}"
    newest = [world.sign_in_elsewhere() for _ in range(world.site.limit)]
    keys |= world.stored_keys()
    if "alice" in _users_of(world, keys - set(newest)).values():
        yield OUTLIVED
    if any(world.who(key) != "alice" for key in newest):
        yield NOT_IN


def _users_of(world: World, keys: set[str]) -> dict[str, str]:
    """Who is signed in with which key: asked twice, since the first time may adopt or end."""
    first = {key for key in keys if world.who(key) is not None}
    found = {key: world.who(key) for key in first}
    return {key: user for key, user in found.items() if user is not None}


def _most_of_one_user(rows: list[UserSession]) -> int:
    users = [row.user_id for row in rows]
    return max((users.count(user) for user in users), default=0)


def _keeps_browser(world: World, first: Operation, second: Operation) -> bool:
    """Whether nothing of what was done may sign the browser out."""
    keeping = set(KEEPING)
    if world.site.limit > 1 and world.is_registered and first is not second:
        keeping.add(sign_in_elsewhere)  # an older session gives way
    return {first, second} <= keeping
