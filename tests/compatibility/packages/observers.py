# ruff: noqa: F403, F405
"""What looks over a site's shoulder: debug-toolbar, silk, Sentry and OpenTelemetry.

All that they would send or keep goes to files in the folder OBSERVED.
"""

import os
from pathlib import Path

import sentry_sdk
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from tests.settings import *

OBSERVED = Path(os.environ.get("OBSERVED", "/tmp"))

DEBUG = True  # for the toolbar
INTERNAL_IPS = ["127.0.0.1"]
INSTALLED_APPS = [*INSTALLED_APPS, "debug_toolbar", "silk"]
MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "silk.middleware.SilkyMiddleware",
    *MIDDLEWARE,
]
ROOT_URLCONF = "tests.compatibility.packages.observers_urls"


class ToFile(sentry_sdk.Transport):
    """A transport that leaves what would be sent to Sentry in a file."""

    def capture_envelope(self, envelope):
        with (OBSERVED / "sentry").open("ab") as file:
            file.write(envelope.serialize())


sentry_sdk.init(
    dsn="http://key@127.0.0.1:1/1", transport=ToFile, traces_sample_rate=1.0, debug=False
)
_provider = TracerProvider()
_spans = (OBSERVED / "spans").open("a", buffering=1)
_provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=_spans)))
trace.set_tracer_provider(_provider)
DjangoInstrumentor().instrument()
