"""Secrets, and whether they are found where they must not be."""

from typing import Any


class Secrets:
    """Session keys and tokens that nothing may give away."""

    def __init__(self, secrets: set[str]) -> None:
        self._secrets = secrets

    def found_in(self, said: str | bytes, sent: Any = ()) -> bool:
        """Whether one of them is in what was said; what the client itself sent may be.

        Args:
            sent: without the cookie. A page that prints one's own key is a leak, too.
        """
        if isinstance(said, bytes):
            said = said.decode("latin1")
        echoed = repr(sent)
        return any(secret in said and secret not in echoed for secret in self._secrets)
