"""The device behind a user agent: its name ("Firefox on Linux") and its kind.

The ua-parser library finds the name, but not the kind (phone, tablet or desktop). Libraries
that find both were tried: user-agents has had no release since 2020, and device-detector
takes up to 0.25 s for an unseen user agent, and 80 MB of memory.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _
from ua_parser import Result, parse

PHONE = "phone"
TABLET = "tablet"
DESKTOP = "desktop"

# What browser makers agreed on: an Android tablet is an Android that is not "Mobile".
_MOBILE = re.compile(r"\bMobile\b")
# An app's HTTP client keeps to no agreement, and often names nothing but itself: it is a
# phone, unless it says that it is a tablet or a Mac.
_APPS = re.compile(r"\b(?:okhttp|Dalvik|Dart|CFNetwork|Alamofire)/")
_PHONES = re.compile(r"Generic (Smartphone|Feature Phone)|Windows Phone|iPhone|iPod|KaiOS")
_TABLETS = re.compile(r"Generic Tablet|Generic_Android_Tablet|iPad|Kindle|PlayBook")


@dataclass(frozen=True)
class Device:
    """A browser and its operating system, as far as they are known."""

    browser: str = ""
    system: str = ""

    def __str__(self) -> str:
        """Return both in words, in the active language."""
        if self.browser and self.system:
            return _("%(browser)s on %(system)s") % {
                "browser": self.browser,
                "system": self.system,
            }
        return self.browser or self.system


def load() -> None:
    """Load the library's patterns, when the site starts: the first parsing does, in 0.3 s."""
    device_of("")


@lru_cache(maxsize=1024)
def device_of(user_agent: str) -> Device | None:
    """Return the device that a user agent string names; None if it is unknown."""
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else ""
    system = found.os.family if found.os else ""
    return Device(browser, system) if browser or system else None


@lru_cache(maxsize=1024)
def class_of(user_agent: str) -> str:
    """Return the kind of device that a user agent string names.

    A browser may ask for the desktop's pages, and Safari on an iPad always does: such a
    device is a desktop, as is whatever says nothing of itself. The HTTP clients of apps
    (okhttp, Dalvik, Dart, CFNetwork) are phones, as their web views are by what they say.

    Returns:
        ``"phone"``, ``"tablet"`` or ``"desktop"``.
    """
    found = parse(user_agent)
    names = _names(found)
    if _TABLETS.search(names):
        return TABLET
    if _APPS.search(user_agent):
        return DESKTOP if names.startswith("Mac ") else PHONE
    is_mobile = bool(_MOBILE.search(user_agent))
    if found.os is not None and found.os.family == "Android":
        return PHONE if is_mobile else TABLET
    is_ios = found.os is not None and found.os.family == "iOS"
    return PHONE if is_mobile or is_ios or _PHONES.search(names) else DESKTOP


def _names(found: Result) -> str:
    """Return the library's names for the device and its operating system."""
    device = found.device
    names = [] if device is None else [device.family, device.brand, device.model]
    return " ".join([*filter(None, names), found.os.family if found.os else ""])
