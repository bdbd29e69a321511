"""The people of the demo, who are there from the start."""

from dataclasses import dataclass

from django.contrib.auth import get_user_model


@dataclass(frozen=True)
class DemoUser:
    username: str
    password: str  # unusual ones, since browsers warn of passwords known from leaks
    is_staff: bool = False


DEMO_USERS = [
    DemoUser("alice", "rabbit-hole-1865"),
    DemoUser("bob", "brick-by-brick-42"),
    DemoUser("carol", "bell-tower-12", is_staff=True),
]


def create_demo_users() -> None:
    """Create who is missing, and put back what was changed. May be run again."""
    for who in DEMO_USERS:
        user, _ = get_user_model().objects.get_or_create(username=who.username)
        if not user.check_password(who.password):  # keep the hash: a new one signs people out
            user.set_password(who.password)
        user.email = f"{who.username}@example.com"
        user.is_active = True
        user.is_staff = user.is_superuser = who.is_staff
        user.save()
