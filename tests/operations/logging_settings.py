# ruff: noqa: F403
"""The test site with the LOGGING of docs/operations.md, and its emergency switch."""

from tests.operations.pages import block
from tests.settings import *

exec(block("operations.md", "The log", "LOGGING ="))
exec(block("operations.md", "In an emergency", "os.environ"))
