"""`ON_LIMIT = "ask"` with a limit of more than one: the user picks which session to end."""

import json
import re
import uuid

import pytest
from playwright.async_api import expect

from live_single_session.models import EndReason, UserSession
from tests.helpers.browsers import API, FIREFOX, PAGE, SAFARI, Browser
from tests.helpers.front import Front
from tests.site.people import PASSWORD, credentials

CHOOSE = "/session/choose/"
FORM = "/accounts/login/?next=/private/"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.site.ways_in")]


@pytest.fixture
def tablet():
    return Browser()


@pytest.fixture
def asked(policy, alice, laptop, phone, tablet):
    """`asked(2)`: alice is signed in on three devices, and asked with a limit of two more."""

    def ask(limit=3):
        policy(LIMIT=None)
        for browser in (laptop, phone, tablet):
            browser.sign_in()
        policy(ON_LIMIT="ask", LIMIT=limit)
        newcomer = Browser()
        newcomer.post("/accounts/login/", credentials("alice"), headers=PAGE)
        return newcomer

    return ask


def id_of(browser):
    return browser.session["_live_single_session"]


def pick(browser, *ids, headers=PAGE):
    return browser.post(CHOOSE, {"choice": "continue", "end": list(ids)}, headers=headers)


def pick_by_json(browser, end):
    answer = {"choice": "continue", "end": end}
    return browser.post(CHOOSE, answer, content_type="application/json", headers=API)


def who(*browsers):
    return [browser.who() for browser in browsers]


def test_the_oldest_is_marked_beforehand(asked, laptop):
    page = asked().get(CHOOSE, headers=PAGE).text

    assert page.count('type="radio"') == 3
    (marked,) = re.findall(r'value="([^"]+)" id="[^"]+" checked', page)
    assert marked == id_of(laptop)
    assert "Which device do you want to sign out?" in page


def test_exactly_the_picked_one_ends(asked, laptop, phone, tablet):
    newcomer = asked()
    picked = id_of(phone)

    assert pick(newcomer, picked)["Location"] == "/private/"
    assert who(laptop, phone, tablet, newcomer) == ["alice", None, "alice", "alice"]
    row = UserSession.objects.ended().get()
    assert (str(row.pk), row.end_reason) == (picked, EndReason.SUPERSEDED)
    assert row.replaced_by == UserSession.objects.get(session_key=newcomer.cookie)


def test_json_clients_pick_too(asked, laptop, phone, tablet):
    newcomer = asked()
    question = newcomer.get(CHOOSE, headers=API).json()
    assert question["end"] == [id_of(laptop)]

    assert pick_by_json(newcomer, [id_of(tablet)]).json()["code"] == "signed_in"
    assert who(laptop, phone, tablet, newcomer) == ["alice", "alice", None, "alice"]


def test_where_several_have_to_go_the_user_picks_as_many(asked, laptop, phone, tablet):
    newcomer = asked(2)
    page = newcomer.get(CHOOSE, headers=PAGE).text
    assert page.count('type="checkbox"') == 3
    assert page.count(" checked") == 2

    again = pick(newcomer, id_of(tablet))
    assert (again.status_code, again["Location"]) == (302, CHOOSE)
    assert "Choose at least 2" in newcomer.get(CHOOSE, headers=PAGE).text
    assert pick_by_json(newcomer, [id_of(tablet)]).status_code == 400
    assert who(laptop, phone, tablet, newcomer) == ["alice", "alice", "alice", None]

    pick(newcomer, id_of(tablet), id_of(laptop))
    assert who(laptop, phone, tablet, newcomer) == [None, "alice", None, "alice"]


def test_more_may_go_than_have_to(asked, laptop, phone, tablet):
    newcomer = asked()
    pick(newcomer, id_of(laptop), id_of(phone), id_of(tablet))

    assert who(laptop, phone, tablet, newcomer) == [None, None, None, "alice"]


@pytest.mark.parametrize(
    "end", [[], ["x"], [None], [{}], "all", 7, {}, [str(uuid.uuid4())], [["a"] * 99]]
)
def test_what_is_no_session_of_theirs_is_no_choice(asked, laptop, phone, tablet, end):
    newcomer = asked()

    answer = pick_by_json(newcomer, end)
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])
    assert who(laptop, phone, tablet, newcomer) == ["alice", "alice", "alice", None]


def test_nobody_elses_session_is_picked(asked, bob, laptop):
    newcomer, bobs = asked(), Browser()
    bobs.sign_in("bob")

    assert pick_by_json(newcomer, [id_of(bobs)]).status_code == 400
    pick(newcomer, id_of(bobs), id_of(laptop))
    assert who(bobs, laptop, newcomer) == ["bob", None, "alice"]


def test_a_picked_one_that_signed_out_meanwhile_is_place_enough(asked, laptop, phone, tablet):
    newcomer = asked()
    picked = id_of(phone)
    phone.post("/api/logout/")
    pick(newcomer, picked)

    assert who(laptop, tablet, newcomer) == ["alice", "alice", "alice"]


def test_inv1_a_choice_counts_once(asked, laptop, phone, tablet):
    newcomer = asked()
    copy = Browser()
    copy.cookie = newcomer.cookie
    pick(newcomer, id_of(phone))

    assert pick_by_json(copy, [id_of(laptop)]).status_code == 401
    assert who(laptop, tablet, newcomer, copy) == ["alice", "alice", "alice", None]


def test_inv1_a_login_meanwhile_was_no_part_of_it(asked, laptop, phone, tablet):
    newcomer, other = asked(), Browser()
    picked = id_of(phone)
    tablet.post("/api/logout/")
    other.sign_in()

    assert pick(newcomer, picked)["Location"].startswith("/accounts/login/")
    assert who(laptop, phone, other, newcomer) == ["alice", "alice", "alice", None]


async def test_of_three_the_second_is_picked_and_told(
    start_daphne, site_database, redis, new_browser_context
):
    """In real browsers: exactly that one."""
    site = start_daphne(
        DATABASE_URL=site_database("postgres"),
        CHANNEL_LAYER="redis",
        REDIS_URL=redis.url,
        LIVE_SINGLE_SESSION={"ON_LIMIT": "ask", "LIMIT": 3},
    )
    front = Front(site.port)
    await front.open()
    tabs = []
    for agent in (FIREFOX, SAFARI, None):
        context = await new_browser_context(user_agent=agent)
        answer = await context.request.post(
            f"{front.url}/api/login/",
            data=json.dumps({"username": "alice", "password": PASSWORD}),
        )
        assert answer.ok
        tabs.append(await context.new_page())
        await tabs[-1].goto(f"{front.url}/private/")
    page = await (await new_browser_context()).new_page()
    await page.goto(front.url + FORM)
    await page.locator("#id_username").fill("alice")
    await page.locator("#id_password").fill(PASSWORD)
    await page.locator("#sign-in").click()
    await page.wait_for_url(f"**{CHOOSE}")
    await page.locator("li.entry", has_text="Mobile Safari").click()
    await page.get_by_role("button", name="Sign out there and continue").click()

    await expect(page.locator("#user")).to_have_text("alice")
    await expect(tabs[1].get_by_role("alertdialog")).to_be_visible()
    for tab in (tabs[0], tabs[2]):
        assert await tab.get_by_role("alertdialog").count() == 0
        await tab.reload()
        await expect(tab.locator("#user")).to_have_text("alice")
    await front.close()
