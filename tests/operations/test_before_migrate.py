"""Deployed before `migrate`: users can be deleted, as without the package."""

import pytest
from django.db import connection

from live_single_session.models import UserSession
from live_single_session.registry import installation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _no_table():
    with connection.schema_editor() as editor:
        editor.delete_model(UserSession)
    installation._there.clear()
    yield
    with connection.schema_editor() as editor:
        editor.create_model(UserSession)
    installation._reported.clear()


@pytest.mark.usefixtures("_no_table")
def test_a_user_can_be_deleted(alice):
    alice.delete()


def test_with_the_table_sessions_go_with_their_user(client, alice):
    client.force_login(alice)
    assert UserSession.objects.count() == 1
    alice.delete()
    assert UserSession.objects.count() == 0
