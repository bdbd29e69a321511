"""Whatever users do, in whatever order: the real thing beside a model of a dozen lines.

LIVE_SINGLE_SESSION_ROUNDS in the environment: how many such orders are tried.
"""

import os
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from live_single_session import registry
from live_single_session.models import UserSession
from live_single_session.registry import ending, events
from live_single_session.registry import engine as session_engine
from tests.helpers.browsers import Browser
from tests.helpers.engines import ENGINES
from tests.site.people import PASSWORD, credentials, sign_up

EXAMPLES = int(os.environ.get("LIVE_SINGLE_SESSION_ROUNDS", "6"))
LIMIT = 2
BROWSERS = st.integers(0, 2)
USERS = st.sampled_from(["alice", "bob"])
TWINS = st.sampled_from(["", "/async"])


class Model:
    """Who is signed in where. A session is a number; the larger, the newer."""

    def __init__(self):
        self.live = {}  # number: user
        self.browsers = {}  # browser: number
        self.last = 0

    def user_of(self, browser):
        return self.live.get(self.browsers.get(browser))

    def sign_in(self, user, browser=None):
        if browser is not None and self.user_of(browser) == user:
            return
        self.live.pop(self.browsers.pop(browser, None), None)
        self.last += 1
        self.live[self.last] = user
        if browser is not None:
            self.browsers[browser] = self.last
        for number in self.of(user)[:-LIMIT]:
            del self.live[number]

    def of(self, user):
        return sorted(number for number, owner in self.live.items() if owner == user)

    def end(self, browser):
        self.live.pop(self.browsers.get(browser), None)

    def end_all(self, user, keep=None):
        for number in self.of(user):
            if number != keep:
                del self.live[number]


class Died(BaseException):
    pass


def die(*args, **kwargs):
    raise Died


class Sessions(RuleBasedStateMachine):
    monkeypatch = None

    @initialize()
    def begin(self):
        get_user_model().objects.all().delete()
        Session.objects.all().delete()
        caches["default"].clear()
        sign_up()
        self.model = Model()
        self.browsers = [Browser() for _ in range(3)]
        self.cookies = []  # (number of the session, cookie)
        self.inactive = set()

    def through(self, browser, twin):
        self.browsers[browser].twin = twin
        return self.browsers[browser]

    @rule(browser=BROWSERS, user=USERS, twin=TWINS)
    def sign_in(self, browser, user, twin):
        if user in self.inactive:
            answer = self.through(browser, twin).post_json("/api/login/", credentials(user))
            assert answer.status_code == 403
            return
        self.through(browser, twin).sign_in(user)
        self.model.sign_in(user, browser)

    @rule(browser=BROWSERS, twin=TWINS)
    def sign_out(self, browser, twin):
        self.through(browser, twin).sign_out()
        self.model.end(browser)

    @rule(browser=BROWSERS, twin=TWINS)
    def rotate(self, browser, twin):
        self.through(browser, twin).get("/rotate/")

    @rule(browser=BROWSERS, twin=TWINS)
    def save(self, browser, twin):
        self.through(browser, twin).get("/slow/")

    @rule(browser=BROWSERS, twin=TWINS)
    def change_password(self, browser, twin):
        # The same one again: it is stored with another salt, and changes as any other does.
        self.through(browser, twin).post_json("/password/", {"password": PASSWORD})
        if user := self.model.user_of(browser):
            self.model.end_all(user, keep=self.model.browsers[browser])

    @rule(browser=BROWSERS)
    def expire(self, browser):
        if self.model.user_of(browser) is None:
            return
        client = self.browsers[browser]
        past = timezone.now() - timedelta(seconds=1)
        UserSession.objects.filter(pk=client.session_id).update(expires_at=past)
        if session_engine.keeps_keys():
            client.session.delete(client.cookie)
        else:
            client.cookie = "expired"
        self.model.end(browser)

    @rule(user=USERS, in_bulk=st.booleans())
    def deactivate(self, user, in_bulk):
        found = get_user_model().objects.get(username=user)
        if in_bulk:
            get_user_model().objects.filter(pk=found.pk).update(is_active=False)
            ending.ended_among([row.pk for row in registry.live_of(found)])
        else:
            found.is_active = False
            found.save()
        self.inactive.add(user)
        self.model.end_all(user)

    @rule(user=USERS)
    def activate(self, user):
        get_user_model().objects.filter(username=user).update(is_active=True)
        self.inactive.discard(user)

    @rule(user=USERS)
    def sign_in_and_die_before_the_clean_up(self, user):
        if user in self.inactive:
            return
        with self.monkeypatch.context() as patch:
            patch.setattr(session_engine, "forget", die)
            patch.setattr(events, "send_started", die)
            with pytest.raises(Died):
                Browser().sign_in(user)
        self.model.sign_in(user)

    @rule()
    def recheck(self):
        ending.ended_among(list(UserSession.objects.values_list("pk", flat=True)))

    @invariant()
    def only_live_sessions_authenticate(self):
        if not hasattr(self, "model"):
            return
        for number, browser in enumerate(self.browsers):
            assert browser.who() == self.model.user_of(number)
            if browser.cookie and self.model.user_of(number):
                self.cookies.append((self.model.browsers[number], browser.cookie))
        for session, cookie in self.cookies[-12:]:
            if session not in self.model.live:
                ghost = Browser()
                ghost.cookie = cookie
                assert ghost.who() is None

    @invariant()
    def registry_agrees(self):
        if not hasattr(self, "model"):
            return
        for user in ("alice", "bob"):
            rows = UserSession.objects.live().filter(user__username=user)
            assert rows.count() <= LIMIT
            shown = {browser.session_id for browser in self.browsers if browser.who() == user}
            assert shown <= {str(row.pk) for row in rows}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_inv1_inv2_inv3_inv6_whatever_users_do(
    engine, switch_engine, transactional_db, monkeypatch, gate, request
):
    django_settings = request.getfixturevalue("settings")
    django_settings.LIVE_SINGLE_SESSION = {"LIMIT": LIMIT}
    switch_engine(engine)
    gate.open()
    machine = type("Machine", (Sessions,), {"monkeypatch": monkeypatch})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
