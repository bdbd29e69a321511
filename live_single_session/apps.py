"""The app's entry in ``INSTALLED_APPS``: connects receivers and registers checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LiveSingleSessionConfig(AppConfig):
    name = "live_single_session"
    verbose_name = _("Live sessions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from live_single_session import checks, conf, receivers
        from live_single_session.realtime import push

        conf.provide()
        checks.register()
        receivers.connect()
        push.connect()
