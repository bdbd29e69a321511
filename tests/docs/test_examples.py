"""What readers copy into their sites and tests works as it stands in the documentation."""

import sys
from types import ModuleType

import pytest

from tests.docs.pages import block_with
from tests.helpers.browsers import AsyncBrowser
from tests.servers.process import ROOT


@pytest.mark.django_db(transaction=True)
async def test_chat_of_the_tutorial_stops_with_the_session(django_user_model, monkeypatch):
    chat = block_with("class ChatConsumer", "tutorial.md")
    consumer, _, routed = chat.partition("# mysite/asgi.py")
    for name in ("mysite", "mysite.consumers"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    exec(consumer, vars(sys.modules["mysite.consumers"]))
    site: dict = {}
    exec(block_with("get_asgi_application()", "tutorial.md") + f"#{routed}", site)
    user = await django_user_model.objects.acreate_user("alice")
    old, new = AsyncBrowser(), AsyncBrowser()
    await old.aforce_login(user)

    async with old.websocket("/ws/chat/", application=site["application"]) as socket:
        await socket.send_json_to({"text": "hello"})
        assert await socket.frame() == {"from": "alice", "text": "hello"}
        await new.aforce_login(user)
        assert await socket.close_code() == 4001


def test_load_is_measured_with_the_garbage_collection_that_is_advised():
    advised = block_with("gc.freeze()", "deployment.md").splitlines()
    calls = [line.partition("  #")[0] for line in advised if line.startswith("gc.")]
    measured = (ROOT / "benchmarks" / "site" / "asgi.py").read_text()
    assert calls
    assert [call for call in calls if f"    {call}" not in measured] == []


# The tests of docs/testing.md, which are collected here.
exec(block_with("class SessionTests", "testing.md"))
exec(block_with("class TabTests", "testing.md"))
