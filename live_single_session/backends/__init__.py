"""Session engines that stay ended: Django's own, behind a fence.

``live_single_session.backends.cached_db``, ``.cache``, ``.file`` and ``.signed_cookies``
are drop-in replacements for Django's engines of the same names. Django's ``db`` engine
needs no fence: deleting its row is final.
"""
