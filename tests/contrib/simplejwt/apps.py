"""Somebody's app: it holds a pair of tokens, and shows them to the API."""

from typing import Any

from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from tests.site.people import credentials


class App:
    """An app on top of any client that can `post` and `get`."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.refresh_token = ""
        self.access_token = ""

    def obtain(self, name: str = "alice", **extra: Any) -> Any:
        """Sign in; the tokens are kept if there are any."""
        return self._keep(self.post("/api/token/", {**credentials(name), **extra}))

    def sign_up(self, name: str = "alice", **extra: Any) -> Any:
        """Sign in by a view of the site's own."""
        return self._keep(self.post("/api/sign-up/", {"username": name, **extra}))

    def refresh(self) -> Any:
        return self._keep(self.post("/api/token/refresh/", {"refresh": self.refresh_token}))

    def verify(self, token: str | None = None) -> Any:
        return self.post("/api/token/verify/", {"token": token or self.access_token})

    def log_out(self) -> Any:
        return self.post("/api/token/logout/", {"refresh": self.refresh_token})

    def me(self, path: str = "/api/me/") -> Any:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, data: dict[str, Any], **options: Any) -> Any:
        return self.client.post(path, data, format="json", **options)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access_token}"}

    @property
    def claims(self) -> Any:
        return AccessToken(self.access_token)

    def forge(self, **claims: Any) -> None:
        """Take tokens that were signed here, but say what they should not."""
        refresh = RefreshToken()
        for name, value in claims.items():
            refresh[name] = value
        self.refresh_token, self.access_token = str(refresh), str(refresh.access_token)

    def _keep(self, response: Any) -> Any:
        if response.status_code == 200:
            tokens = response.json()
            self.access_token = tokens["access"]
            self.refresh_token = tokens.get("refresh", self.refresh_token)
        return response


def assert_ended(response: Any, reason: str | None = "superseded") -> None:
    assert response.status_code == 401
    body = response.json()
    assert body["code"] == "session_ended"
    assert body["reason"] == reason, body
    assert body["login_url"] == "/accounts/login/"
    assert body["detail"]
    assert response.headers["Session-Ended"] == (reason or "unknown")
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
