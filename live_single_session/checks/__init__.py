"""System checks: of the settings, of the installation, and for production."""

from live_single_session.checks import (
    browsers,
    deployment,
    engine,
    installation,
    neighbours,
    settings,
)


def register() -> None:
    """Register all checks; called when the app is ready."""
    settings.register()
    installation.register()
    engine.register()
    neighbours.register()
    browsers.register()
    deployment.register()
