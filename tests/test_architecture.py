"""Arrows point down only, and the public names are the ones that are promised."""

import ast
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import live_single_session

PACKAGE = "live_single_session"
ROOT = Path(live_single_session.__file__).parent

# From the ground up. A room may know its neighbours on the same floor, and those below.
FLOORS = [
    {
        "conf",
        "models",
        "signals",
        "devices",
        "request_state",
        "exceptions",
        "django_internals",
        "session_user",
    },
    {"policy", "client", "site_urls"},
    {"registry", "notices", "session_info"},
    {"backends", "session_status", "http", "admin"},
    {"realtime", "views", "receivers", "health"},
    {
        "middleware",
        "routing",
        "urls",
        "apps",
        "checks",
        "confirm",
        "management",
        "templatetags",
        "contrib",
        "testing",
    },
]
# What knows no code of ours, and what Django loads by itself.
OUTSIDE = {"", "migrations"}
NOT_CODE = {"static", "templates", "locale", "py.typed", "__init__.py", "__pycache__"}

MOST_ROOMS = 35
MOST_LINES = 250
MOST_LINES_OF_A_FUNCTION = 40

PUBLIC = {
    "admin": ["SignOutEverywhereMixin", "UserSessionAdmin", "sign_out_everywhere"],
    "backends.cache": ["SessionStore"],
    "backends.cached_db": ["SessionStore"],
    "backends.db": ["SessionStore"],
    "backends.fence": ["Fence"],
    "backends.file": ["SessionStore"],
    "backends.signed_cookies": ["SessionStore"],
    "confirm": ["factor_changed", "password"],
    "contrib.simplejwt": [
        "IsLiveSession",
        "JWTAuthMiddleware",
        "JWTAuthentication",
        "SessionEnded",
        "SessionLimit",
        "TokenLogoutView",
        "TokenObtainPairView",
        "TokenRefreshView",
        "TokenVerifyView",
        "answer_refusal",
        "sign_in",
    ],
    "contrib.simplejwt.urls": ["urlpatterns"],
    "devices": ["device_of", "class_of"],
    "health": ["ask", "view"],
    "middleware": ["SingleSessionMiddleware"],
    "models": ["EndReason", "UserSession"],
    "policy": ["device_class", "staff_only"],
    "routing": ["SingleSessionMiddlewareStack", "websocket_urlpatterns"],
    "signals": ["limit_exceeded", "login_refused", "session_ended", "session_started"],
    "templatetags.live_single_session": ["script_tag"],
    "testing": ["Tab", "sign_in"],
    "urls": ["urlpatterns"],
}

REGISTRY = ["start", "end", "end_all", "live_of"]


def modules():
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name.removesuffix("__init__").removesuffix("."), path


PATHS = dict(modules())
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}


def imports(path):
    """Everything that a module imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_by(module):
    """The modules of the package that one of them imports."""
    names = {name.removeprefix(f"{PACKAGE}.") for name in imports(PATHS[module])}
    # A module that imports its neighbours names the package that they are both in.
    return names & PATHS.keys() - {module, module.rpartition(".")[0], ""}


def room_of(module):
    return module.partition(".")[0]


def reached_from(module):
    reached, to_do = set(), [module]
    while to_do:
        if (name := to_do.pop()) not in reached:
            reached.add(name)
            to_do.extend(imported_by(name))
    return reached


def code_of(room):
    return [module for module in PATHS if room_of(module) == room]


def test_every_room_has_a_floor():
    assert {room_of(module) for module in PATHS} - OUTSIDE == FLOOR_OF.keys()


@pytest.mark.parametrize("room", sorted(FLOOR_OF))
def test_arrows_point_down(room):
    known = {room_of(other) for module in code_of(room) for other in imported_by(module)}
    assert not {other for other in known - OUTSIDE if FLOOR_OF[other] > FLOOR_OF[room]}


def test_arrows_make_no_circle():
    TopologicalSorter({module: imported_by(module) for module in PATHS}).prepare()


@pytest.mark.parametrize("room", sorted(set().union(*FLOORS[:4]) | {"views", "receivers"}))
def test_what_needs_no_channels_does_not_know_of_it(room):
    for module in code_of(room):
        for reached in reached_from(module):
            known = {name.partition(".")[0] for name in imports(PATHS[reached])}
            assert not known & {"channels", "channels_redis", "daphne"}, reached


@pytest.mark.parametrize(("room", "other"), [("realtime", "http"), ("http", "realtime")])
def test_realtime_and_http_do_not_know_each_other(room, other):
    assert not {
        known
        for module in code_of(room)
        for known in reached_from(module)
        if room_of(known) == other
    }


def test_policy_does_no_input_or_output():
    known = {name for module in reached_from("policy") for name in imports(PATHS[module])}
    assert not [name for name in known if name.startswith("django.db")]


def test_only_conf_reads_the_setting():
    readers = {
        module
        for module, path in PATHS.items()
        if '"LIVE_SINGLE_SESSION"' in path.read_text()
        or "settings.LIVE_SINGLE_SESSION" in path.read_text()
    }
    assert {room_of(module) for module in readers} <= {"conf", "checks"}


PRIVATE_TO_DJANGO = (
    "_session_cache",
    "_cached_user",
    "_acached_user",
    "_wrapped",
    "._password",
)


def test_only_one_module_reads_what_django_keeps_private():
    readers = {
        module
        for module, path in PATHS.items()
        if any(name in path.read_text() for name in PRIVATE_TO_DJANGO)
    }
    # A session engine is made of them.
    ours = {"django_internals", "contrib.simplejwt.websocket"}
    assert {module for module in readers if room_of(module) != "backends"} <= ours


def test_a_request_carries_one_attribute_of_ours():
    """All that is noted about a request is in its RequestState."""
    for path in PATHS.values():
        assert "request._live_single_session_" not in path.read_text(), path


# Public names


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_where_they_are_promised(module):
    found = import_module(f"{PACKAGE}.{module}")
    assert not [name for name in PUBLIC[module] if not hasattr(found, name)]


def test_the_registry_shows_what_is_documented_and_no_more():
    from live_single_session import registry

    twins = ["alive_of" if name == "live_of" else f"a{name}" for name in REGISTRY]
    assert sorted(registry.__all__) == sorted([*REGISTRY, *twins, "LoginRefused"])


# Size


def test_there_are_not_too_many_rooms():
    assert len({path.name for path in ROOT.iterdir()} - NOT_CODE) <= MOST_ROOMS


@pytest.mark.parametrize("module", sorted(PATHS))
def test_no_module_is_too_long(module):
    lines = PATHS[module].read_text().splitlines()
    assert len(lines) <= MOST_LINES
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            length = node.end_lineno - node.lineno + 1 - docstring.count("\n")
            assert length <= MOST_LINES_OF_A_FUNCTION, node.name
