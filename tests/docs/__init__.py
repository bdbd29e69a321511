"""The documentation: it says what the code does, and what it shows works."""
