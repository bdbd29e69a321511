"""What has to be done before a response goes out: a table, without a request."""

import pytest

from live_single_session.http import activity, follow_ups
from live_single_session.http.request_facts import Facts

LIVE = {"is_signed_in": True, "has_row": True}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, []),
        (LIVE, []),
        ({"is_dead": True}, [follow_ups.explain]),
        ({"is_dead": True, "is_told": True}, []),
        ({"is_dead": True, "has_bearer": True}, []),
        ({"is_signed_in": True, "is_adoptable": True}, [follow_ups.adopt]),
        ({**LIVE, "is_turned_away": True}, [follow_ups.check_user]),
        ({**LIVE, "has_begun": True}, []),
        ({**LIVE, "has_begun": True, "is_uncommitted": True}, [follow_ups.settle]),
        ({**LIVE, "lasts_otherwise": True}, [follow_ups.note_expiry]),
        ({**LIVE, "is_cookie_renewed": True}, [follow_ups.check_cookie]),
        ({**LIVE, "is_use_due": True}, [activity.record]),
        # Several at once: none that is always due starves another.
        (
            {**LIVE, "is_cookie_renewed": True, "is_use_due": True},
            [follow_ups.check_cookie, activity.record],
        ),
        (
            {"is_signed_in": True, "is_adoptable": True, "is_use_due": True},
            [follow_ups.adopt, activity.record],
        ),
        # Nothing of a response that failed is saved.
        ({**LIVE, "has_failed": True}, []),
        ({"has_failed": True, "is_dead": True}, []),
        ({**LIVE, "has_failed": True, "is_use_due": True}, []),
        ({**LIVE, "has_failed": True, "has_begun": True}, [follow_ups.abandon_sign_in]),
        ({"has_failed": True, "is_refused": True}, [follow_ups.refuse]),
        ({"is_refused": True}, []),
    ],
)
def test_what_is_due_follows_from_the_facts(facts, expected):
    assert follow_ups.choose(Facts(**facts)) == expected
