"""The script, in a real browser, on pages that a real daphne serves."""
