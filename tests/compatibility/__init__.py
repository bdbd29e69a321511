"""Beside other servers and other people's packages."""
