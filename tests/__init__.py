"""The suite of live_single_session."""
