"""One document, many sessions; and an end that nobody knows of for sure is none."""

import json
import re

import pytest
from playwright.async_api import expect

from tests.helpers.visitor import (
    HURRY,
    IDLE,
    PAGE,
    WRITE_DOWN_EVENTS,
    dialog,
    events_of,
    is_left_alone,
    is_told,
    session_of,
    shows,
)
from tests.servers.waiting import await_until
from tests.site.people import credentials

POST = """async ([url, body]) =>
    (await fetch(url, { method: "POST", body: JSON.stringify(body) })).status"""

SEEN_TAG = "document.querySelector('script[data-socket]')"

UNKNOWN = 'HTTP/1.1 401 No\r\nContent-Type: application/json\r\n\r\n{"code": "not_signed_in"}'


async def test_inv4_start_watches_a_session_that_began_by_fetch(new_visitor, sign_in_elsewhere):
    visitor = await new_visitor()
    page = await _anonymous(visitor)
    await _post(page, "/api/login/", credentials("alice"))

    await page.evaluate("liveSingleSession.start()")

    await await_until(lambda: len(visitor.front.sockets) == 1, "the session to be watched")
    await sign_in_elsewhere()
    await is_told(page)


async def test_start_with_the_id_of_the_session_asks_nothing(visitor):
    tab = await visitor.open()
    session = await session_of(tab)
    page = await _anonymous(visitor)
    asked = visitor.front.checks()

    await page.evaluate("session => liveSingleSession.start({ session })", session)

    await page.wait_for_timeout(300)
    assert visitor.front.checks() == asked


async def test_an_anonymous_page_asks_nothing_until_it_is_looked_at(new_visitor):
    visitor = await new_visitor()
    page = await _anonymous(visitor)
    await page.wait_for_timeout(500)
    assert (visitor.front.checks(), visitor.front.handshakes) == (0, 0)

    await visitor.glance_at(page)

    await page.wait_for_timeout(300)
    await is_left_alone(page)
    assert visitor.front.handshakes == 0


async def test_inv9_an_anonymous_page_does_not_tell_of_a_session_from_before_it(
    visitor, sign_in_elsewhere
):
    """The browser may still have the cookie of a session that ended an hour ago."""
    page = await _anonymous(visitor)
    await sign_in_elsewhere()
    await page.evaluate("""
        Object.defineProperty(performance, "timeOrigin", { value: Date.now() + 60000 });
    """)

    async with page.expect_response("**/session/status/**") as asked:
        await visitor.glance_at(page)

    assert (await (await asked.value).json())["code"] == "session_ended"
    await page.wait_for_timeout(500)
    await is_left_alone(page)


async def test_stop_ends_all_interest(visitor, sign_in_elsewhere):
    await visitor.context.add_init_script(WRITE_DOWN_EVENTS)
    page = await visitor.open()
    await page.evaluate("liveSingleSession.stop()")
    await await_until(lambda: not visitor.front.sockets, "the socket to be closed")
    asked = visitor.front.checks()

    await sign_in_elsewhere()
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    await page.wait_for_timeout(500)
    await is_left_alone(page)
    assert visitor.front.checks() == asked
    assert await events_of(page) == []


async def test_start_takes_the_dialog_away(visitor, sign_in_elsewhere):
    page = await visitor.open()
    await sign_in_elsewhere()
    await is_told(page)
    await _post(page, "/api/login/", credentials("alice"))

    await page.evaluate("liveSingleSession.start()")

    await expect(dialog(page)).to_have_count(0)
    assert await page.title() == "Private"


async def test_inv9_who_switches_users_by_fetch_is_told_nothing(visitor):
    """The other tabs are."""
    other = await visitor.open()
    page = await visitor.open()

    await _post(page, "/api/login/", credentials("bob"))

    await shows(other, "bob")
    await page.wait_for_timeout(2500)
    await is_left_alone(page)


@pytest.mark.parametrize(
    "signing_out",
    ["fetch('/api/logout/', { method: 'POST' })", "navigator.sendBeacon('/api/logout/')"],
)
async def test_inv9_who_signs_out_without_a_new_page_is_told_nothing(visitor, signing_out):
    """Not even for a moment, and though the page shows nothing of it."""
    other = await visitor.open()
    await other.evaluate(IDLE)
    page = await visitor.open()
    await page.evaluate("""() => {
        const show = HTMLDialogElement.prototype.showModal;
        HTMLDialogElement.prototype.showModal = function () {
          window.shown = true;
          show.call(this);
        };
    }""")

    await page.evaluate(f"() => void {signing_out}")

    await is_told(other)
    await page.wait_for_timeout(2500)
    assert not await page.evaluate("window.shown")


async def test_inv4_a_poll_is_not_taken_for_a_sign_out(visitor):
    page = await visitor.open()
    await page.evaluate("void setInterval(() => fetch('/whoami/'), 100)")
    await page.wait_for_timeout(1500)

    await visitor.sign_out()

    await is_told(page)
    await page.wait_for_timeout(1000)
    await is_told(page)


async def test_inv4_a_tag_that_comes_later_names_the_session_to_watch(
    visitor, new_visitor, sign_in_elsewhere
):
    tag = await (await visitor.open()).evaluate(f"{SEEN_TAG}.outerHTML")
    page = await _anonymous(visitor)

    await page.evaluate(
        "tag => document.body.append(document.createRange().createContextualFragment(tag))", tag
    )

    await visitor.is_watching(page)
    await sign_in_elsewhere()
    await is_told(page)


@pytest.mark.parametrize("way", ["module", "innerHTML and a loader"])
async def test_inv4_finds_its_tag_however_it_is_loaded(visitor, sign_in_elsewhere, way):
    tab = await visitor.open()
    tag = await tab.evaluate(f"{SEEN_TAG}.outerHTML")
    await tab.close()
    if way == "module":
        visitor.front.edit(PAGE, "<script", '<script type="module"')
        page = await visitor.context.new_page()
        await page.goto(visitor.front.url + PAGE)
    else:
        page = await visitor.context.new_page()
        await page.goto(f"{visitor.front.url}/whoami/")
        await page.evaluate(
            """tag => {
                document.body.innerHTML = tag; // which runs nothing
                const loader = document.createElement("script");
                loader.src = document.querySelector("script").src;
                document.head.append(loader);
            }""",
            tag,
        )

    await visitor.is_watching(page)
    await sign_in_elsewhere()
    await is_told(page)


async def test_says_loudly_that_its_tag_is_missing(visitor):
    page = await visitor.context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    await page.goto(f"{visitor.front.url}/whoami/")

    await page.add_script_tag(url="/static/live_single_session/live-single-session.js")

    await await_until(lambda: errors, "an error")
    assert "data-socket" in str(errors[0])


@pytest.mark.parametrize("locks", ["undefined", "throwing", "rejecting"])
async def test_inv4_privacy_extensions_do_not_stop_it(visitor, sign_in_elsewhere, locks):
    body = {
        "undefined": "undefined",
        "throwing": "(() => { throw new Error('no'); })()",
        "rejecting": "{ request: () => Promise.reject(new Error('no')) }",
    }[locks]
    await visitor.context.add_init_script(f"""
        Object.defineProperty(navigator, "locks", {{ get: () => {body} }});
        window.BroadcastChannel = undefined;
    """)
    page = await visitor.open()

    await sign_in_elsewhere()

    await is_told(page)


async def test_inv9_a_status_that_knows_nobody_never_wins_over_the_socket(
    visitor, sign_in_elsewhere
):
    """As where cookies don't get there: on another origin, or behind a proxy."""
    visitor.front.edits["/session/status/"] = lambda answer: UNKNOWN
    tabs = [await visitor.open(), await visitor.open()]

    for _ in range(4):
        for tab in tabs:
            await visitor.glance_at(tab)

    for tab in tabs:
        await is_left_alone(tab)
    await sign_in_elsewhere()
    for tab in tabs:
        await is_told(tab)


async def test_inv9_one_answer_that_knows_nobody_is_not_believed(visitor):
    """One node of many has lost its way to the registry; the next answer is right."""
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    answers = []

    def every_other(answer: str) -> str:
        answers.append(answer)
        return UNKNOWN if len(answers) % 2 else answer

    visitor.front.edits["/session/status/"] = every_other
    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)

    await await_until(lambda: len(answers) > 8, "many answers", seconds=30)

    await is_left_alone(page)


async def test_inv4_told_where_socket_and_status_agree_that_nobody_is_signed_in(visitor):
    await visitor.context.add_init_script(HURRY)
    visitor.front.edits["/session/status/"] = lambda answer: UNKNOWN
    page = await visitor.context.new_page()
    await page.route_web_socket(re.compile("/ws/"), lambda socket: socket.close(code=4003))

    await page.goto(visitor.front.url + PAGE)

    await is_told(page)


async def test_inv9_an_answer_out_of_a_cache_is_not_trusted(visitor, sign_in_elsewhere):
    """As of a service worker that keeps whatever was fine, whatever was asked."""
    visitor.front.websockets = "refuse"
    await visitor.context.add_init_script(HURRY)
    kept = json.dumps({"live": True, "session": "0" * 32, "fresh": "old"})
    visitor.front.edits["/session/status/"] = lambda answer: (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{kept}"
    )
    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)
    await await_until(lambda: visitor.front.checks() > 2, "the page to ask")
    assert visitor.front.asked.count(PAGE) == 1  # it did not take it for another's page
    assert len({path for path in visitor.front.asked if "/status/" in path}) > 2

    del visitor.front.edits["/session/status/"]
    await sign_in_elsewhere()

    await is_told(page)


async def test_inv4_a_policy_that_forbids_the_socket_is_noticed_at_once(
    visitor, sign_in_elsewhere
):
    visitor.front.add_header(PAGE, "Content-Security-Policy: connect-src http:")
    page = await visitor.context.new_page()

    async with page.expect_response("**/session/status/**", timeout=3000):
        await page.goto(visitor.front.url + PAGE)

    await sign_in_elsewhere()
    await visitor.glance_at(page)
    await is_told(page)


async def test_a_network_that_comes_and_goes_makes_one_socket_of_many(visitor):
    page = await visitor.open()
    before = visitor.front.handshakes

    await page.evaluate("""async () => {
        for (let n = 0; n < 20; n += 1) {
            dispatchEvent(new Event("online"));
            await new Promise((done) => setTimeout(done, 20));
        }
    }""")

    await page.wait_for_timeout(2500)
    assert 1 <= visitor.front.handshakes - before <= 3


@pytest.mark.parametrize("on_ended", ["redirect", "reload"])
async def test_inv4_a_navigation_that_is_refused_leaves_the_page_covered(
    visitor, sign_in_elsewhere, on_ended
):
    visitor.front.edit(PAGE, 'data-on-ended="dialog"', f'data-on-ended="{on_ended}"')
    page = await visitor.open()
    asked = await _stay_on(page)

    await sign_in_elsewhere()

    await is_told(page)
    await visitor.glance_at(page)
    await is_told(page)
    assert asked == ["beforeunload"]


async def test_inv4_alices_page_under_bobs_cookie_is_covered_if_she_stays(visitor):
    visitor.front.websockets = "refuse"
    page = await visitor.context.new_page()
    await page.goto(visitor.front.url + PAGE)
    asked = await _stay_on(page)
    await visitor.context.clear_cookies()
    await visitor.sign_in("bob")

    await visitor.glance_at(page)

    await is_told(page)
    assert await page.locator("#user").text_content() == "alice"
    assert asked == ["beforeunload"]


async def _stay_on(page) -> list[str]:
    asked = []

    async def stay(question) -> None:
        asked.append(question.type)
        await question.dismiss()

    page.on("dialog", stay)
    await page.locator("#draft").click()
    await page.keyboard.type("two hours of work")
    await page.evaluate("""
        addEventListener("beforeunload", (event) => event.preventDefault())
    """)
    return asked


async def _anonymous(visitor):
    """A page that was made for nobody, whoever has signed in since."""
    browser = visitor.context.browser
    stranger = await browser.new_context()
    page = await stranger.new_page()
    await page.goto(f"{visitor.front.url}/accounts/login/")
    html = await page.content()
    await stranger.close()
    visitor.front.edits["/accounts/login/"] = lambda answer: (
        answer.split("\r\n\r\n")[0] + "\r\n\r\n" + html
    )
    page = await visitor.context.new_page()
    await page.goto(f"{visitor.front.url}/accounts/login/")
    return page


async def _post(page, path: str, body: object) -> None:
    assert await page.evaluate(POST, [path, body]) == 200
