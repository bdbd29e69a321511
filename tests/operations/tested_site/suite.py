# ruff: noqa: PT009, PT027
"""The site's suite, for Django's own test runner."""

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import TestCase, TransactionTestCase, override_settings

from live_single_session import registry
from live_single_session.testing import Tab, asign_in, committed, sign_in

# As a suite does that imports it first, before "testserver" is allowed.
from tests.operations.tested_site.asgi import application


class Told:
    """What holds in a TestCase and in a TransactionTestCase."""

    async def test_the_tab_is_told(self):
        user = await User.objects.acreate_user("shared")
        laptop = await asign_in(user)
        async with Tab(laptop) as tab:
            phone = await asign_in(user)
            self.assertEqual(await tab.told(), "superseded")
            self.assertEqual(tab.received[0], {"type": "session.ready", "session": tab.session})
        async with Tab(phone) as tab:
            self.assertTrue(await tab.is_told_nothing())

    async def test_a_consumer_of_ones_own_is_closed(self):
        user = await User.objects.acreate_user("shared")
        laptop = await asign_in(user)
        async with Tab(laptop, "/ws/greeter/", application=application) as tab:
            await asign_in(user)
            self.assertEqual(await tab.closed(), 4001)
            self.assertEqual(tab.received, ["hello shared"])

    async def test_whatever_ends_it(self):
        user = await User.objects.acreate_user("shared")
        async with Tab(await asign_in(user)) as tab:
            await sync_to_async(self.end)(user)
            self.assertEqual(await tab.told(), "revoked_by_staff")

    def end(self, user):
        with committed():
            registry.end_all(user, "revoked_by_staff")

    def test_without_websockets(self):
        user = User.objects.create_user("shared")
        laptop = sign_in(user)
        phone = sign_in(user)
        self.assertEqual(laptop.get("/whoami/").json(), {"user": None})
        self.assertEqual(phone.get("/whoami/").json(), {"user": "shared"})

    @override_settings(LIVE_SINGLE_SESSION={"LIMIT": None})
    async def test_where_workers_share_a_user_there_is_no_limit(self):
        user = await User.objects.acreate_user("shared")
        first, second = await asign_in(user), await asign_in(user)
        async with Tab(first) as tab, Tab(second):
            self.assertTrue(await tab.is_told_nothing())

    async def test_failures_say_what_was_received(self):
        user = await User.objects.acreate_user("shared")
        laptop = await asign_in(user)
        with self.assertRaisesRegex(AssertionError, "Received so far: .*session.ready"):
            async with Tab(laptop) as tab:
                await tab.told(0.1)
        with self.assertRaisesRegex(AssertionError, "Received so far: .*hello shared"):
            async with Tab(laptop, "/ws/greeter/") as tab:
                await tab.closed(1)
        with self.assertRaisesRegex(AssertionError, "refused"):
            async with Tab(laptop, "/ws/closed/"):
                pass
        with self.assertRaisesRegex(AssertionError, "closed with 4003"):
            async with Tab(self.async_client):
                pass
        with self.assertRaisesRegex(ValueError, "No route"):
            async with Tab(laptop, "/ws/nowhere/"):
                pass
        with self.assertRaisesRegex(KeyError, "of the test"):
            async with Tab(laptop) as tab:
                with self.assertRaises(AssertionError):
                    await tab.told(0.1)
                raise KeyError("of the test")


class InATransaction(Told, TestCase):
    pass


class Committed(Told, TransactionTestCase):
    pass
