"""Somebody's browser, in this process: Django's client, and what a test asks of it."""

from django.conf import settings
from django.test import Client

from live_single_session.models import SESSION_ID_KEY, UserSession
from tests.site.people import credentials


class Browser:
    """A browser of its own; `twin` is "/async" to go through the async views."""

    def __init__(self, twin=""):
        self.twin = twin
        self.client = Client(raise_request_exception=False)

    def get(self, path, **headers):
        return self.client.get(self.twin + path, headers=headers)

    def post(self, path, data=None, **headers):
        return self.client.post(
            self.twin + path, data or {}, content_type="application/json", headers=headers
        )

    def sign_in(self, name="alice", **extra):
        response = self.post("/api/login/", credentials(name) | extra)
        assert response.status_code == 200, response.content
        return response

    def sign_out(self):
        return self.post("/api/logout/")

    def who(self):
        """Who the site takes this browser for; None for nobody."""
        response = self.get("/whoami/")
        assert response.status_code == 200, response.content
        return response.json()["user"]

    @property
    def cookie(self):
        morsel = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        return morsel.value if morsel is not None and morsel.value else None

    @cookie.setter
    def cookie(self, value):
        self.client.cookies[settings.SESSION_COOKIE_NAME] = value

    @property
    def session_id(self):
        """The id of the session that this browser is signed in to."""
        return self.client.session.get(SESSION_ID_KEY)

    @property
    def row(self):
        return UserSession.objects.get(pk=self.session_id)

    def why_ended(self):
        """The reason that an API request is told; None if it is served."""
        response = self.get("/api/private/", accept="application/json")
        if response.status_code == 200:
            return None
        assert response.status_code == 401, response.content
        body = response.json()
        if "code" not in body:
            return "(not told)"
        assert body["code"] == "session_ended"
        assert response["Session-Ended"] == body["reason"]
        return body["reason"]


def live():
    return list(UserSession.objects.live().order_by("serial"))


def reasons():
    """How the sessions ended, in the order in which they started."""
    return list(UserSession.objects.order_by("serial").values_list("end_reason", flat=True))
