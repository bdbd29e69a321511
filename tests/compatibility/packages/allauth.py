# ruff: noqa: F403, F405
"""django-allauth: passwords, a second factor, and somebody else's accounts."""

from tests.settings import *

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.dummy",
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]

ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
MFA_SUPPORTED_TYPES = ["totp"]
MFA_TOTP_TOLERANCE = 2  # codes of a minute ago are good enough for a test
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True  # the dummy provider's word is taken for it
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True

LOGIN_URL = "/auth/login/"
ROOT_URLCONF = "tests.compatibility.packages.allauth_urls"
