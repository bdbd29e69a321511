"""Two operations on one user's sessions, interleaved by force at every step that others see.

What one request does is visible to others only through the database and the cache. So an
operation is held before each of its queries, its commits and its cache operations, one after
the other; a second one runs as far as it can; then the first goes on. That is every order of
the two that a single change of turns can give. See `judge` for what has to be true then.
"""
