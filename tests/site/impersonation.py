"""A site whose staff look at it through their customers' eyes, with django-hijack."""

import re
from pathlib import Path

from django.urls import include, path

from tests import urls

urlpatterns = [*urls.urlpatterns, path("hijack/", include("hijack.urls"))]

# The middleware that docs/recipes.md tells a site to write, as it stands there.
RECIPES = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
exec(re.search(r"^class ExemptImpersonation:\n.*?(?=^```)", RECIPES, re.S | re.M)[0])


def limit(user, request, slot):
    """The same by a LIMIT: whoever impersonates may be signed in beside the user."""
    match = request.resolver_match if request is not None else None
    return None if match is not None and match.view_name == "hijack:acquire" else 1
