"""Run the demo: ``make demo``, or ``python demo/run.py``. PORT picks another port."""

import os
import socket
import sys
from pathlib import Path

import django
from daphne.cli import CommandLineInterface
from django.conf import settings
from django.core.management import call_command

LOOPBACK = "127.0.0.1"


def main() -> None:
    sys.path[0] = str(Path(__file__).parent.parent)  # so that this directory is a package
    os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"
    django.setup()

    from demo.users import DEMO_USERS, create_demo_users

    call_command("migrate", verbosity=0)
    create_demo_users()

    wanted = int(os.environ.get("PORT", "8000"))
    port = free_port(wanted)
    if port != wanted:
        print(f"\n  Port {wanted} is taken, so it is port {port} this time.")
    names = ", ".join(user.username for user in DEMO_USERS)
    print(
        f"""
  Two browsers, side by side, to try it on:

      http://{settings.DEMO_HOST}:{port}/

  Should your browser not find that name: http://{LOOPBACK}:{port}/
  Users: {names}; their passwords are on the login page.
  Ctrl-C stops it.
""",
        flush=True,
    )
    CommandLineInterface().run(
        ["--bind", LOOPBACK, "--port", str(port), "--verbosity", "0", "demo.asgi:application"]
    )


def free_port(wanted: int) -> int:
    """Return the port that is wanted, or one that the system picks if that is taken."""
    with socket.socket() as sock:
        # As daphne does: a port where only closed connections linger is free.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((LOOPBACK, wanted))
        except OSError:
            sock.bind((LOOPBACK, 0))
        return sock.getsockname()[1]


if __name__ == "__main__":
    main()
