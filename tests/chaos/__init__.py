"""Everything fails at random: the short form for the suite, and what `make chaos` is made of.

Nothing here knows how the package works inside: people sign in, keep tabs open and are told,
and what is true is read from the database and from what a session cookie still opens.
"""
