"""Makes the tables, and users who are signed in: `python -m benchmarks.site.fill USERS`.

Prints the session cookies of those users, one to a line.
"""

import sys


def main(number: int) -> None:
    import django

    django.setup()
    from datetime import timedelta

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.core.management import call_command
    from django.utils import timezone

    from tests.site.people import PASSWORD

    call_command("migrate", verbosity=0)
    password = make_password(PASSWORD)
    have = User.objects.count()
    users = [User(username=f"user{have + n}", password=password) for n in range(number)]
    User.objects.bulk_create(users, batch_size=1000)
    store = SessionStore()
    expires = timezone.now() + timedelta(days=7)
    sessions, rows = [], []
    for user in users:
        key = store._get_new_session_key() if number < 50 else _key()
        data = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        if settings.WITH_OURS:
            from live_single_session.models import (
                FINGERPRINT_KEY,
                INSTALLATION_KEY,
                SESSION_ID_KEY,
                UserSession,
                digest,
            )
            from live_single_session.registry import installation

            row = UserSession(
                user=user, serial=1, session_key=key, key_digest=digest(key), expires_at=expires
            )
            data[SESSION_ID_KEY] = str(row.pk)
            data[INSTALLATION_KEY] = installation.name_here()
            data[FINGERPRINT_KEY] = digest(key)
            rows.append(row)
        encoded = store.encode(data)
        sessions.append(Session(session_key=key, session_data=encoded, expire_date=expires))
        print(key)
    Session.objects.bulk_create(sessions, batch_size=1000)
    if rows:
        UserSession.objects.bulk_create(rows, batch_size=1000)


def _key() -> str:
    from django.utils.crypto import get_random_string

    return get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789")


if __name__ == "__main__":
    main(int(sys.argv[1]))
