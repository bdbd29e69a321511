"""Deployed before `migrate`: users can be deleted, as without the package."""

import pytest
from django.db import connection
from django.db.models.signals import pre_delete

from live_single_session import models
from live_single_session.models import UserSession

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _no_table():
    with connection.schema_editor() as editor:
        editor.delete_model(UserSession)
    models._databases_with_table.clear()
    yield
    with connection.schema_editor() as editor:
        editor.create_model(UserSession)


@pytest.mark.usefixtures("_no_table")
def test_a_user_can_be_deleted(alice, monkeypatch):
    monkeypatch.setattr(pre_delete, "receivers", [])  # what they do there is theirs
    pre_delete.sender_receivers_cache.clear()
    alice.delete()
    pre_delete.sender_receivers_cache.clear()


def test_with_the_table_sessions_go_with_their_user(client, alice, django_assert_num_queries):
    client.force_login(alice)
    assert UserSession.objects.count() == 1
    alice.delete()
    assert UserSession.objects.count() == 0
