# ruff: noqa: F403
"""The test site, traced by OpenTelemetry; each span is printed as JSON."""

from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

from tests.settings import *


def line_of(span):
    return span.to_json(indent=None) + "\n"


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line_of)))
trace.set_tracer_provider(provider)
SQLite3Instrumentor().instrument()
RedisInstrumentor().instrument()
DjangoInstrumentor().instrument()
