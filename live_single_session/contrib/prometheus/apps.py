"""The room's entry in ``INSTALLED_APPS``: it connects the metrics."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PrometheusConfig(AppConfig):
    name = "live_single_session.contrib.prometheus"
    label = "live_single_session_prometheus"
    verbose_name = _("Live sessions")

    def ready(self) -> None:
        from live_single_session.contrib.prometheus import metrics

        metrics.connect()
