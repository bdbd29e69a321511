"""Session engines: a twin of each of Django's, and ``fence.Fence`` for others.

``live_single_session.backends.db``, ``.cached_db``, ``.cache``, ``.file`` and
``.signed_cookies`` are the twins of Django's engines of the same names: they use the same
tables, cache keys, files and cookies.
"""
