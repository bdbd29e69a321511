"""Browsers, people and engines: what tests of several rooms use."""
