"""The users of the test site. Run it to make the tables, and the users in them."""

from collections.abc import Iterable

PASSWORD = "correct horse battery staple"

USERS = ["alice", "bob"]
STAFF = "carol"


def credentials(name: str) -> dict[str, str]:
    """What to post to a login view."""
    return {"username": name, "password": PASSWORD}


def sign_up(more: Iterable[str] = ()) -> None:
    from django.contrib.auth import get_user_model

    manager = get_user_model().objects
    for name in (*USERS, *more):
        manager.create_user(name, f"{name}@example.com", PASSWORD)
    manager.create_superuser(STAFF, f"{STAFF}@example.com", PASSWORD)


if __name__ == "__main__":
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    sign_up()
