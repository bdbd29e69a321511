"""One live session per user: a new login ends the older one at once, everywhere."""

__version__ = "0.1.0"
