"""Session engines behind a fence: Django's own, and a mixin for those of others.

``live_single_session.backends.db``, ``.cached_db``, ``.cache``, ``.file`` and
``.signed_cookies`` are the twins of Django's engines of the same names: they use the same
tables, cache keys, files and cookies.
"""
