"""Read what a client sends: a form, or an object in JSON."""

import json
from typing import Any

from django.http import HttpRequest


def json_object(request: HttpRequest) -> dict[str, Any]:
    """Return the object in a request's body; an empty one where there is none."""
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def text_of(request: HttpRequest, name: str) -> str | None:
    """Return a text out of a request's form or JSON; None if it isn't there."""
    is_json = request.content_type == "application/json"
    value = (json_object(request) if is_json else request.POST).get(name)
    return value if isinstance(value, str) else None
