"""The package as others get it: built, pinned and installed."""
