"""One live session per user for the JSON web tokens of djangorestframework-simplejwt.

The public names are imported when they are first used: this package may be in
``INSTALLED_APPS``, and must not load models then.
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
