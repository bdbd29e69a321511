"""One small site, and the packages that it can be built with: `BENCH_VARIANT`.

none                   Django alone
ours                   live_single_session
preventconcurrent      django-preventconcurrentlogins
single_session         django-single-session
usersessions           django-allauth's usersessions, with activity tracking
bare                   Django alone, and a bare Channels consumer that a signal sends to
guarded                live_single_session, with its guard around somebody's own consumer
"""
