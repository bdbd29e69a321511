"""User agents in words: "Firefox on Linux". Parsed by the ua-parser library."""

from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _
from ua_parser import parse


@dataclass(frozen=True)
class Device:
    """A browser and the system it runs on, as far as they are known."""

    browser: str = ""
    system: str = ""

    def __str__(self) -> str:
        """Return both in words, in the language that is active."""
        if self.browser and self.system:
            return _("%(browser)s on %(system)s") % {
                "browser": self.browser,
                "system": self.system,
            }
        return self.browser or self.system


@lru_cache(maxsize=1024)
def device_of(user_agent: str) -> Device | None:
    """Return the device that a user agent string speaks of; None if it is unknown."""
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return Device(browser, system) if browser or system else None
