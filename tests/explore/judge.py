"""What has to be true once two operations are over, in whatever order they went."""

from collections.abc import Iterator

from live_single_session.models import UserSession, digest
from tests.explore import operations as do
from tests.explore.operations import Operation
from tests.explore.world import World

FAILED = "a request failed"
STRAY = "a key works that is not the current one of a live session"
SIGNED_OUT = "signed out by working in it"
STILL_IN = "still live after it was ended"
TOO_MANY = "more live sessions than the limit"
OUTLIVED = "a key works after the logins elsewhere"
NOT_IN = "the newest login is not signed in"

CHANGING_KEYS = {do.rotate, do.create, do.change_password}
ENDING = {do.sign_out, do.flush, do.end, do.end_all}
# After which the browser is still signed in.
KEEPING = {do.sign_in, do.save, do.touch, do.adopt, do.expire, do.prune} | CHANGING_KEYS


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
    if _keeps_browser(world, first, second) and not _is_signed_in(
        world, users, {first, second}
    ):
        yield f"{SIGNED_OUT}: {world.cookies}"
    if _ends_browser(world, first, second):
        digests = {digest(key) for key in (world.key, *world.cookies) if key}
        if digests & {key_digest for key_digest, _ in current}:
            yield STILL_IN
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


def _is_signed_in(world: World, users: dict[str, str], pair: set[Operation]) -> bool:
    """Whether the browser is, by one of the cookies that it may have been left with.

    With `db` that is the last one: an answer's cookie is decided in its last step. Elsewhere,
    and where a second sign-in starts a session, an answer may be overtaken after that.
    """
    left_with = world.cookies or [world.key]
    if world.site.engine == "db" and do.sign_in not in pair:
        left_with = left_with[-1:]
    return any(users.get(key) == "alice" for key in left_with)


def _keeps_browser(world: World, first: Operation, second: Operation) -> bool:
    """Whether nothing of what was done may sign the browser out."""
    keeping = set(KEEPING)
    if world.site.limit > 1 and world.is_registered and first is not second:
        keeping.add(do.sign_in_elsewhere)  # an older session gives way
    return {first, second} <= keeping


def _ends_browser(world: World, first: Operation, second: Operation) -> bool:
    """Whether it must be signed out: by itself, or by an operator who knows its session.

    A browser that signs out with a key which has just been replaced is taken for anonymous.
    """
    pair = {first, second}
    if not pair & ENDING or pair & {do.sign_in, do.sign_in_elsewhere, do.switch_user}:
        return False
    if pair & CHANGING_KEYS or not world.is_registered:
        by = {do.end, do.end_all} if world.is_registered else {do.sign_out, do.flush}
        return bool(pair & by)
    return True
