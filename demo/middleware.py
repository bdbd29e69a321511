"""What the demo puts around its pages: a strict policy, and a name for each of two browsers."""

from django.conf import settings
from django.utils.deprecation import MiddlewareMixin

from demo.browsers import BROWSERS, browser_of

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        # The page with the two browsers, and nobody else, may show the site in a frame.
        f"frame-ancestors http://{settings.DEMO_HOST}:*",
        "frame-src " + " ".join(f"http://{browser.host}:*" for browser in BROWSERS),
    ]
)


class ContentSecurityPolicyMiddleware(MiddlewareMixin):
    """A strict policy, to show that live_single_session works under one.

    Django 6 brings its own; this one is for Django 5.2, too.
    """

    def process_response(self, request, response):
        response.headers["Content-Security-Policy"] = POLICY
        return response


class TwoBrowsersMiddleware(MiddlewareMixin):
    """The two frames share one real browser. Let each introduce itself as what it shows."""

    def process_request(self, request):
        if browser := browser_of(request):
            request.META["HTTP_USER_AGENT"] = browser.user_agent
