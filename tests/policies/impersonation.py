"""A site whose staff look at it through their customers' eyes, with django-hijack."""

from django.urls import include, path

from tests import urls

urlpatterns = [*urls.urlpatterns, path("hijack/", include("hijack.urls"))]


class ExemptImpersonation:
    """The middleware that docs/policies.md tells a site to write."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_view(self, request, view, args, kwargs):
        if request.resolver_match.view_name == "hijack:acquire":
            request.single_session_exempt = True


def limit(user, request):
    """The same by a LIMIT: whoever impersonates may be signed in beside the user."""
    match = request.resolver_match if request is not None else None
    return None if match is not None and match.view_name == "hijack:acquire" else 1
