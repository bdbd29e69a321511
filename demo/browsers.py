"""The two browsers that the side-by-side page shows in one window.

Each has a host name of its own, so each has cookies of its own, as two browsers
would; and the names belong to one site, so that SameSite=Lax cookies work in frames.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port


@dataclass(frozen=True)
class Browser:
    name: str
    label: str
    user_agent: str

    @property
    def host(self) -> str:
        return f"{self.name}.{settings.DEMO_HOST}"


BROWSERS = [
    Browser(
        "left",
        "Alice's laptop",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    Browser(
        "right",
        "Alice's phone",
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Mobile Safari/537.36",
    ),
]


def host_of(request: HttpRequest) -> str:
    return split_domain_port(request.get_host())[0]


def browser_of(request: HttpRequest) -> Browser | None:
    host = host_of(request)
    return next((browser for browser in BROWSERS if browser.host == host), None)
