"""What must hold in every shape of the site; run by tests/backends/test_variants.py."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from live_single_session.models import SESSION_ID_KEY, UserSession
from live_single_session.registry import db
from live_single_session.registry import engine as session_engine
from live_single_session.signals import session_ended
from tests.helpers.browsers import Browser, live, reasons
from tests.helpers.threads import held
from tests.site.people import sign_up

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

User = get_user_model()
MODELS = [User, *User.__subclasses__()]


@pytest.fixture(autouse=True)
def _people(db, tmp_path, settings):
    settings.SESSION_FILE_PATH = str(tmp_path)
    sign_up()


@pytest.fixture
def browsers(twin):
    return Browser(twin), Browser(twin)


def test_inv1_inv2_newer_login_ends_older_one(browsers):
    left, right = browsers
    left.sign_in()
    cookie = left.cookie
    right.sign_in()
    assert left.why_ended() == "superseded"
    assert right.who() == "alice"
    left.cookie = cookie
    assert left.who() is None
    assert not UserSession.objects.using(db.database()).unfinished().exists()


def test_inv2_slow_request_brings_nothing_back(browsers, gate):
    left, right = browsers
    left.sign_in()
    cookie = left.cookie
    with held(gate, left, "/slow/") as answer:
        right.sign_in()
    assert answer.result().status_code == 200
    left.cookie = cookie
    assert left.who() is None


def test_inv2_login_beside_a_rotation(browsers, gate):
    left, right = browsers
    left.sign_in()
    with held(gate, left, "/ended/rotate-slowly/"):
        right.sign_in()
    assert left.who() is None
    assert right.who() == "alice"


def test_inv6_own_session_lives_on(browsers):
    left, right = browsers
    left.sign_in()
    left.sign_in()
    left.get("/rotate/")
    left.post_json("/password/", {"password": "changed"})
    right.sign_in("bob")
    assert (left.who(), right.who()) == ("alice", "bob")
    assert len(live()) == 2


def test_times_are_stored_as_django_stores_them(browsers):
    left, right = browsers
    before = timezone.now() - timedelta(seconds=1)
    left.sign_in()
    right.sign_in()
    after = timezone.now() + timedelta(seconds=1)
    old, new = UserSession.objects.order_by("serial")
    assert before < old.started_at < new.started_at < after
    assert new.started_at <= old.ended_at < after


def test_users_are_switched_deactivated_and_deleted(browsers):
    left, right = browsers
    left.sign_in("alice")
    left.sign_in("bob")
    assert left.who() == "bob"
    assert reasons() == ["user_switched", ""] or sorted(reasons()) == ["", "user_switched"]
    user = get_user_model().objects.get(username="bob")
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    assert left.why_ended() == "deactivated"
    right.sign_in("alice")
    get_user_model().objects.get(username="alice").delete()
    assert right.who() is None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_inv2_users_are_saved_and_deleted_through_a_proxy(model, browsers):
    left, right = browsers
    left.sign_in("alice")
    right.sign_in("bob")
    alice, bob = (model.objects.get(username=name) for name in ("alice", "bob"))
    alice.set_password("changed")
    alice.save()
    bob.is_active = False
    bob.save()
    assert sorted(reasons()) == ["deactivated", "password_changed"]
    ended = []
    session_ended.connect(hear := lambda session, **kwargs: ended.append(session.end_reason))
    carol = model.objects.get(username="carol")
    left.sign_in("carol")
    carol.delete()
    session_ended.disconnect(hear)
    assert ended == ["deactivated"]


def test_inv6_copies_of_users_in_another_database_end_nothing(browsers):
    left, _ = browsers
    left.sign_in()
    copy = User.objects.get(username="alice")
    copy.save(using="archive")
    copy.set_password("changed")
    copy.save(using="archive")
    copy.set_unusable_password()
    copy.save(using="archive")
    copy.is_active = False
    copy.save(using="archive")
    User.objects.using("archive").all().delete()
    assert reasons() == [""]
    assert left.who() == "alice"


def test_inv2_users_are_saved_by_another_name_of_the_database(browsers):
    left, right = browsers
    left.sign_in("alice")
    right.sign_in("bob")
    alice, bob = (User.objects.get(username=name) for name in ("alice", "bob"))
    alice.set_password("changed")
    alice.save(using="archive")
    alice.save(using="again")
    bob.is_active = False
    bob.save(using="again")
    assert sorted(reasons()) == ["deactivated", "password_changed"]


def test_inv6_session_is_adopted(browsers):
    left, right = browsers
    left.sign_in()
    store = session_engine.store_class()(left.cookie)
    del store[SESSION_ID_KEY]
    store.save()
    UserSession.objects.using(db.database()).all().delete()
    assert left.who() == "alice"
    assert len(live()) == 1
    right.sign_in()
    assert left.why_ended() == "superseded"


def test_inv3_login_that_is_rolled_back_ends_nothing(browsers):
    left, right = browsers
    left.sign_in()
    credentials = {"username": "alice", "password": "correct horse battery staple"}
    right.twin = ""
    right.post_json("/ended/login-and-undo/", credentials)
    assert left.who() == "alice"
    assert right.who() is None
