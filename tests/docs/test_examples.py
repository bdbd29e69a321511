"""What readers copy into their sites and tests works as it stands in the documentation."""

import sys
from types import ModuleType

import pytest
from django.test import AsyncClient

from tests.asgi import application
from tests.docs.pages import block_with
from tests.helpers.clients import AsyncBrowser


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


@pytest.mark.django_db(transaction=True)
async def test_helper_for_tests_works_as_it_stands(django_user_model):
    helper = block_with("class Tab:", "testing.md")
    namespace: dict = {}
    exec(helper, namespace)
    user = await django_user_model.objects.acreate_user("alice")
    laptop, phone = AsyncClient(), AsyncClient()
    await laptop.aforce_login(user)

    async with namespace["Tab"](application, laptop) as tab:
        await phone.aforce_login(user)
        assert await tab.told() == "superseded"


@pytest.mark.django_db
def test_example_of_a_test_passes(client, django_user_model):
    example = block_with("laptop.force_login", "testing.md")
    namespace: dict = {}
    exec(example, namespace)
    namespace["test_second_sign_in_ends_the_first"](client, django_user_model)
