"""The recipes that confirm with another package, as the documentation has them."""

from tests.docs.pages import block_with

_allauth: dict = {}
exec(block_with("@reauthentication_required", "recipes.md"), _allauth)
by_allauth = _allauth["confirm"]

_otp: dict = {}
exec(block_with("user_has_device(user)", "recipes.md"), _otp)
by_code = _otp["confirm"]
