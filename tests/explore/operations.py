"""What may happen to a user's sessions: by requests of a browser, and by an operator."""

from collections.abc import Callable

from live_single_session import registry
from live_single_session.models import EndReason, UserSession
from live_single_session.registry import cleanup, db, maintenance
from tests.explore.world import World
from tests.site.people import PASSWORD, credentials


def sign_in(world: World) -> None:
    world.request("/api/login/", credentials("alice"))


def sign_in_elsewhere(world: World) -> None:
    world.request("/api/login/", credentials("alice"), elsewhere=True)


def rotate(world: World) -> None:
    world.request("/rotate/")


def create(world: World) -> None:
    world.request("/create/")


def change_password(world: World) -> None:
    world.request("/password/", {"password": PASSWORD})


def sign_out(world: World) -> None:
    world.request("/api/logout/", {})


def switch_user(world: World) -> None:
    world.request("/api/login/", credentials("bob"))


def save(world: World) -> None:
    world.request("/save/")


def touch(world: World) -> None:
    world.request("/whoami/")


def flush(world: World) -> None:
    world.request("/flush/", {})


def adopt(world: World) -> None:
    world.request("/whoami/")


def end(world: World) -> None:
    for row in UserSession.objects.filter(pk=world.session_id):
        registry.end(row, EndReason.REVOKED)


def end_all(world: World) -> None:
    registry.end_all(world.alice, EndReason.REVOKED_BY_STAFF)


def expire(world: World) -> None:
    maintenance.expire(db.rows())


def prune(world: World) -> None:
    cleanup.finish(maintenance.ended_before(0))
    maintenance.prune(0)


Operation = Callable[[World], None]

OPERATIONS: list[Operation] = [
    sign_in,
    sign_in_elsewhere,
    rotate,
    create,
    change_password,
    sign_out,
    switch_user,
    save,
    touch,
    flush,
    adopt,
    end,
    end_all,
    expire,
    prune,
]
