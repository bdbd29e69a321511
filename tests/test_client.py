"""Who is calling: whatever a client sends is made harmless."""

import ipaddress

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from live_single_session.client import client_of
from live_single_session.models import DEVICE_LENGTH, USER_AGENT_LENGTH
from tests.helpers.browsers import FIREFOX


def request_with(**meta):
    request = HttpRequest()
    request.META.update(meta)
    return request


def own_ip(request):
    return "192.0.2.7"


def no_ip(request):
    return "not an address'; DROP TABLE--"


def raising_ip(request):
    raise KeyError("HTTP_X_REAL_IP")


def test_address_and_user_agent_are_kept():
    client = client_of(request_with(REMOTE_ADDR="198.51.100.3", HTTP_USER_AGENT=FIREFOX))
    assert (client.ip, client.user_agent) == ("198.51.100.3", FIREFOX)


def test_without_a_request_or_its_headers_nothing_is_kept():
    for client in (client_of(None), client_of(HttpRequest())):
        assert (client.ip, client.user_agent) == (None, "")


def test_nothing_is_kept_where_that_is_off(settings):
    settings.LIVE_SINGLE_SESSION = {"RECORD_CLIENT": False}
    client = client_of(request_with(REMOTE_ADDR="198.51.100.3", HTTP_USER_AGENT=FIREFOX))
    assert (client.ip, client.user_agent) == (None, "")


def test_forged_forwarding_headers_are_ignored():
    forged = {
        "HTTP_X_FORWARDED_FOR": "203.0.113.9",
        "HTTP_X_REAL_IP": "203.0.113.9",
        "HTTP_FORWARDED": "for=203.0.113.9",
    }
    assert client_of(request_with(REMOTE_ADDR="198.51.100.3", **forged)).ip == "198.51.100.3"


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        (None, None),
        ("unix:", None),
        ("198.51.100.3:443", None),
        ("1" * 10_000, None),
        ("198.51.100.3\x00", None),
    ],
)
def test_only_an_address_is_kept(address, kept):
    assert client_of(request_with(REMOTE_ADDR=address)).ip == kept


@pytest.mark.parametrize(
    ("name", "kept"), [("own_ip", "192.0.2.7"), ("no_ip", None), ("raising_ip", None)]
)
def test_client_ip_is_asked_and_may_fail(settings, name, kept):
    settings.LIVE_SINGLE_SESSION = {"CLIENT_IP": f"{__name__}.{name}"}
    assert client_of(request_with(REMOTE_ADDR="198.51.100.3")).ip == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * 10_240, "x" * USER_AGENT_LENGTH),
        ("Fire\x00fox\r\nSet-Cookie: a=b", "FirefoxSet-Cookie: a=b"),
        ("\udcff\udcfeFirefox", "Firefox"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_a_user_agent_is_cut_and_cleaned(sent, kept):
    assert client_of(request_with(HTTP_USER_AGENT=sent)).user_agent == kept


@given(address=st.text(), user_agent=st.text())
def test_whatever_is_sent_can_be_stored(address, user_agent):
    client = client_of(request_with(REMOTE_ADDR=address, HTTP_USER_AGENT=user_agent))
    assert client.ip is None or ipaddress.ip_address(client.ip)
    assert len(client.user_agent) <= USER_AGENT_LENGTH
    assert "\x00" not in client.user_agent
    client.user_agent.encode()


def posted(rf, body, content_type="application/json"):
    request = rf.post("/", body, content_type=content_type)
    _ = request.POST, request.body  # as a view that signs in has
    return request


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"device": "Ann\'s Pixel"}', "Ann's Pixel"),
        ('{"device": "  \\u0000\\ud800 kitchen \\n"}', "kitchen"),
        ('{"device": "%s"}' % ("x" * 500), "x" * DEVICE_LENGTH),
        ('{"device": {"name": 1}}', ""),
        ('{"device": null}', ""),
        ('["device"]', ""),
        ("{", ""),
        ("[" * 10_000, ""),
        ('{"device": "long", "else": "%s"}' % ("x" * 20_000), ""),
        ("", ""),
    ],
)
def test_an_app_names_its_device_in_json(rf, body, name):
    assert client_of(posted(rf, body)).device == name


def test_an_app_names_its_device_in_a_form(rf):
    request = rf.post("/", {"device": "Ann's Pixel"})
    assert client_of(request).device == ""  # nobody has read it, and we don't either
    assert request.POST
    assert client_of(request).device == "Ann's Pixel"


def test_no_name_is_kept_where_nothing_is(rf, settings):
    settings.LIVE_SINGLE_SESSION = {"RECORD_CLIENT": False}
    assert client_of(posted(rf, '{"device": "Ann\'s Pixel"}')).device == ""


@given(st.binary(max_size=200))
def test_whatever_is_posted_is_no_error(body):
    assert isinstance(client_of(posted(RequestFactory(), body)).device, str)
