"""Limit how often a password may be guessed inside of a session.

The tries are counted for each session of a user: whoever guesses in a stolen one locks
nobody out of the others. They are counted in the default cache, which has to be one that
all processes share.
"""

from django.core.cache import cache

# So many tries in so many seconds. The second bound keeps a patient guesser below the 100
# failures that NIST SP 800-63B-4, section 3.2.2, allows for an account.
BOUNDS = ((5, 300), (20, 86_400))


def count(name: str) -> int:
    """Count a try, before it is made.

    Args:
        name: whose tries are counted together.

    Returns:
        0 if it may be made; else in how many seconds, at the most, there may be another.
    """
    for most, seconds in BOUNDS:
        key = _key(name, seconds)
        cache.add(key, 0, seconds)
        try:
            number = cache.incr(key)
        except ValueError:  # it has expired just now, or this cache keeps nothing
            number = 1
        if number > most:
            return seconds
    return 0


def forget(name: str) -> None:
    """Forget the tries before one that was right."""
    cache.delete_many([_key(name, seconds) for _, seconds in BOUNDS])


def _key(name: str, seconds: int) -> str:
    return f"live_single_session.tries.{seconds}.{name}"
