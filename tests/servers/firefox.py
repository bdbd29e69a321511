"""Debian's Firefox, driven over Marionette, its own protocol: there is no geckodriver."""

import asyncio
import json
import os
from dataclasses import dataclass
from threading import Lock
from typing import Any

from marionette_driver.geckoinstance import DesktopInstance
from marionette_driver.marionette import Marionette

from tests.servers.packages import find
from tests.servers.process import ServerProcess

KEEP_QUIET = DesktopInstance.required_prefs | DesktopInstance.desktop_prefs


class Firefox(ServerProcess):
    """One browser without a window, with a profile of its own."""

    name = "firefox"
    ready_text = "Listening on port"

    def command(self) -> list[str]:
        preferences = KEEP_QUIET | {"marionette.port": self.port}
        (self.directory / "user.js").write_text(
            "\n".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});"
                for name, value in preferences.items()
            )
        )
        profile = ["--profile", str(self.directory)]
        return [find("firefox-esr"), "--headless", "--marionette", "--no-remote", *profile]

    def environment(self) -> dict[str, str]:
        return dict(os.environ) | {"HOME": str(self.directory)}

    def start(self) -> None:
        super().start()
        self._driver = Marionette(port=self.port)
        self._driver.start_session()
        self._one_at_a_time = Lock()

    def stop(self) -> None:
        if self.is_running:
            self._driver.delete_session()
        super().stop()

    async def renew(self) -> None:
        """One empty tab and no cookies, whatever was done to it before."""
        await asyncio.to_thread(self._renew)

    async def open_tab(self) -> "Tab":
        """A tab in a window of its own: behind another one, a busy Firefox may not show it."""
        return await asyncio.to_thread(self._open_tab)

    def do(self, handle: str, method: str, *arguments: Any, **options: Any) -> Any:
        """What Marionette can do, in one of the tabs."""
        with self._one_at_a_time:
            self._driver.switch_to_window(handle, focus=False)
            return getattr(self._driver, method)(*arguments, **options)

    def _open_tab(self) -> "Tab":
        opened = self.do(self._driver.window_handles[0], "open", type="window", focus=True)
        return Tab(self, opened["handle"])

    def _renew(self) -> None:
        earlier = self._driver.window_handles
        self.do(earlier[0], "open", type="tab")  # the tab that was used last may be closed
        for handle in earlier:
            self.do(handle, "close")
        [left] = self._driver.window_handles
        self.do(left, "delete_all_cookies")


@dataclass(frozen=True)
class Tab:
    firefox: Firefox
    handle: str

    async def goto(self, url: str) -> None:
        await self._do("navigate", url)

    async def go_back(self) -> None:
        await self._do("go_back")

    async def run(self, script: str, *arguments: object) -> Any:
        """What a function with this body returns, or what it promises."""
        return await self._do("execute_script", script, arguments, sandbox=None)

    async def close(self) -> None:
        await self._do("close")

    async def _do(self, method: str, *arguments: Any, **options: Any) -> Any:
        return await asyncio.to_thread(
            self.firefox.do, self.handle, method, *arguments, **options
        )
