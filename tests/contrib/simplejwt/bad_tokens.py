"""Ways to make a bad token of a good one."""

import base64
import json

import jwt
from django.conf import settings as site_settings


def encoded(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tampered(token):
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{encoded({**claims, 'user_id': '999'})}.{signature}"


def signed(token, key, algorithm="HS256", **changes):
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, key, algorithm=algorithm)


def unsigned(token):
    return signed(token, None, algorithm="none")


def with_header(header):
    return lambda token: ".".join([encoded(header), *token.split(".")[1:]])


BAD = {
    "tampered": tampered,
    "expired": lambda token: signed(token, site_settings.SECRET_KEY, exp=1),
    "signed with a foreign key": lambda token: signed(token, "x" * 40),
    "alg none": unsigned,
    "alg None": lambda token: with_header({"alg": "None", "typ": "JWT"})(token),
    "alg of another kind": lambda token: signed(token, site_settings.SECRET_KEY, "HS512"),
    "no signature": lambda token: token.rsplit(".", 1)[0] + ".",
    "two parts": lambda token: token.rsplit(".", 1)[0],
    "deep": with_header(b'{"alg":"HS256","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "no header": with_header(b"\xff\xfe"),
    "a list for a header": with_header([]),
    "algorithms for an algorithm": with_header({"alg": ["HS256"]}),
    "words": lambda token: "not-a-token",
    "dots": lambda token: "..",
    "not ASCII": lambda token: "é.ü.ß",
}
