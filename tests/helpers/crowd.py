"""Makes many users, with the test site's password: `python -m tests.helpers.crowd N`."""

import os
import subprocess
import sys

from tests.servers.process import ROOT
from tests.site.people import PASSWORD


def name_of(number: int) -> str:
    return f"user{number}"


def gather(count: int, database_url: str) -> None:
    """Make users in a database of the test site, from outside of it."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.settings", "DATABASE_URL": database_url}
    subprocess.run(
        [sys.executable, "-m", "tests.helpers.crowd", str(count)],
        cwd=ROOT,
        env=os.environ | settings,
        check=True,
    )


def main() -> None:
    import django

    django.setup()
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User

    password = make_password(PASSWORD)
    users = (User(username=name_of(n), password=password) for n in range(int(sys.argv[1])))
    User.objects.bulk_create(users, batch_size=1000)


if __name__ == "__main__":
    main()
