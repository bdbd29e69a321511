"""Load, faults and fuzzing: short forms for the suite, and what the long forms are made of.

The long forms are `make load`, `make chaos` and `make fuzz`. Nothing here knows how the
package works inside: people sign in, keep tabs open and are told, and what is true is
read from the database and from what a session cookie still opens.
"""
