"""One live session per user for JSON web tokens: djangorestframework-simplejwt's, with ``sid``.

What a site names is found here, and loaded when it is first asked for: this package may
be in ``INSTALLED_APPS``, and then must not load models.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "IsLiveSession": "permissions",
    "JWTAuthMiddleware": "websocket",
    "JWTAuthentication": "authentication",
    "SessionEnded": "exceptions",
    "SessionLimit": "exceptions",
    "TokenLogoutSerializer": "serializers",
    "TokenLogoutView": "views",
    "TokenObtainPairSerializer": "serializers",
    "TokenObtainPairView": "views",
    "TokenRefreshSerializer": "serializers",
    "TokenRefreshView": "views",
    "TokenVerifySerializer": "serializers",
    "TokenVerifyView": "views",
    "answer_refusal": "refusal",
    "sign_in": "tokens",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
