"""What the models are run with, and what is taken out of them: the mutants.

Each mutant takes one protection out (a ``-D`` of its name). It has to give a counterexample:
one that survives is a promise that nobody needs, or a hole in the model.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A protection that is taken out, in which world, and what goes wrong then."""

    name: str
    model: str
    world: str
    invariant: str
    counterexample: str


CACHE = "-DENGINE=CACHE"
REFUSE = "-DON_LIMIT=REFUSE"

MUTANTS = [
    Mutant("NO_LOCK", "registry", "", "1", "two logins at once, neither sees the other"),
    Mutant("BY_ID_ONLY", "registry", "", "2", "the left key of a rotated session still opens"),
    Mutant("LOGOUT_BY_KEY", "registry", "", "2", "sign-out beside a rotation ends nothing"),
    Mutant(
        "ROTATION_RECREATES", "registry", "", "2", "a deleted session is back by a rotation"
    ),
    Mutant("SAVE_UNCONDITIONAL", "registry", "-DN=3", "6", "a late save sets a dead cookie"),
    Mutant(
        "NO_OUTBOX", "registry", CACHE, "3", "killed after the commit: nobody forgets the data"
    ),
    Mutant(
        "ANY_PASSWORD", "registry", "", "2", "a login by the old password outlives the change"
    ),
    Mutant(
        "ADOPTS_THE_ENDED", "registry", "", "2", "signed out, adopted again by a late request"
    ),
    Mutant("RELICS_BY_KEY", "registry", CACHE, "2", "sign-out after a rotation finds no row"),
    Mutant(
        "LEAVES_RELICS", "registry", CACHE, "2", "killed after a login: the old one is adopted"
    ),
    Mutant("ADOPT_AS_LOGIN", "registry", "", "9", "an adoption ends the newest login"),
    Mutant("ADOPT_OVER_LIMIT", "registry", "", "1", "an adoption beside a login: two are live"),
    Mutant(
        "ADOPTS_ANY_PASSWORD", "registry", "-DLIMIT=2", "2", "adopted after a changed password"
    ),
    Mutant("IGNORES_LEFT_KEY", "registry", REFUSE, "6", "refused by one's own session"),
    Mutant("REFUSE_TRUSTS_ROWS", "registry", REFUSE, "9", "a removed session holds the place"),
    Mutant("REFUSE_ASKS_PASSWORD", "registry", REFUSE, "9", "ended amid a change of password"),
    Mutant("LOOKS_ONCE", "registry", "", "9", "a rotation beside the re-check: removed"),
    Mutant(
        "PASSWORD_TAKES_OVER", "registry", CACHE, "6", "a late save brings the old hash back"
    ),
    Mutant("KEEPS_OWN_DATA", "registry", CACHE, "6", "the slower rotation writes the old hash"),
    Mutant(
        "FLUSH_FORGETS", "registry", "", "6", "get_user() deletes amid a change of password"
    ),
    Mutant(
        "DROPPED_DELETES_COOKIE", "registry", "", "6", "a slow answer deletes the new cookie"
    ),
    Mutant("NO_MARKS", "registry", CACHE, "2", "ended, and its data still has a fingerprint"),
    Mutant("MARK_AFTER_COMMIT", "registry", CACHE, "2", "killed between: ended, and trusted"),
    Mutant(
        "STAMP_BEFORE_COMMIT", "registry", CACHE, "2", "killed before the commit, and trusted"
    ),
    Mutant("DATA_AFTER_COMMIT", "registry", CACHE, "6", "killed between: live, without data"),
    Mutant(
        "FORGET_BEFORE_COMMIT", "registry", CACHE, "3", "killed between: live, without data"
    ),
    Mutant(
        "WAITS_FOR_ROW", "locks", "", "10", "deadlock with a view that saves, then signs in"
    ),
    Mutant("SAVE_TAKES_LOCK", "locks", "", "10", "deadlock of a save and a view"),
    Mutant("BOTH_USERS", "locks", "", "10", "deadlock of two who switch users"),
    Mutant("ANY_ORDER", "locks", "", "10", "deadlock of two commands"),
    Mutant("NO_RECHECK", "watch", "-DWORLD=FAULTY", "4", "the message is lost, nobody looks"),
    Mutant("FAILURE_STOPS_IT", "watch", "-DWORLD=FAULTY", "4", "one failed look, and no other"),
    Mutant(
        "LOOK_BEFORE_JOIN", "watch", "-DWORLD=WORKING", "4", "it ends between look and join"
    ),
    Mutant(
        "SILENCE_IS_AN_END", "watch", "-DWORLD=FAULTY", "9", "told, while the session lives"
    ),
    Mutant(
        "SEND_BEFORE_COMMIT", "watch", "-DWORLD=WORKING", "9", "told of what is rolled back"
    ),
    Mutant("ANNOUNCE_BEFORE_RECEIVERS", "watch", "-DWORLD=FAULTY", "4", "killed: never heard"),
    Mutant("NO_SECOND_ANNOUNCEMENT", "watch", "-DWORLD=FAULTY", "4", "killed: never heard"),
]

ENGINES = ("SHARED", "CACHE", "ASKS")
REGISTRY_WORLDS = [
    f"-DENGINE={engine} -DON_LIMIT={policy} -DLIMIT={limit}"
    for engine in ENGINES
    for policy, limit in (("END_OLDEST", 1), ("REFUSE", 1), ("END_OLDEST", 2))
]
OTHER_WORLDS = [("watch", "-DWORLD=FAULTY"), ("watch", "-DWORLD=WORKING"), ("locks", "")]

# Two requests beside each other: tens of seconds. Three, where that stays below minutes.
SMALL = [("registry", f"{world} -DN=2") for world in REGISTRY_WORLDS] + OTHER_WORLDS
FULL = [
    *SMALL,
    *(("registry", f"-DENGINE=SHARED -DON_LIMIT={p} -DN=3") for p in ("END_OLDEST", "REFUSE")),
]
