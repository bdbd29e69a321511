"""The authentication class that docs/tokens.md writes for dj-rest-auth's cookies."""

from tests.contrib.simplejwt.own_urls import block_with

exec(block_with("class CookieAuthentication"))
