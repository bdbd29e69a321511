"""A site with a test suite of its own, which uses live_single_session.testing."""
