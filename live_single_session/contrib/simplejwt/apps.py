"""The app of the tokens: registers their system checks and their OpenAPI schema."""

from contextlib import suppress

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SimpleJWTConfig(AppConfig):
    name = "live_single_session.contrib.simplejwt"
    label = "live_single_session_simplejwt"
    verbose_name = _("Live sessions of tokens")

    def ready(self) -> None:
        from live_single_session.contrib.simplejwt import checks

        checks.register()
        with suppress(ImportError):  # drf-spectacular is optional
            import live_single_session.contrib.simplejwt.schema  # noqa: F401
