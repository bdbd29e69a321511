"""Every text is in every language, in the shape that the program fills in."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils.translation import override, templatize

import live_single_session
from live_single_session.models import EndReason
from live_single_session.notices import EndNotice
from tests.helpers.browsers import PAGE, Browser

PACKAGE = Path(live_single_session.__file__).parent
LANGUAGES = ["de", "fr", "es", "pt_BR", "zh_Hans", "ja", "ar", "ms"]

CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext"}
LITERAL = r"""u(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CALL_OF_TEMPLATE = re.compile(rf"n?gettext\({LITERAL}(?:, {LITERAL})?")
PLACES = re.compile(r"%\(\w+\)[sd]")


def texts():
    """The texts in the source, with the plural of those that have one."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        found |= _in_calls(path.read_text())
    for path in PACKAGE.rglob("*.html"):
        for call in CALL_OF_TEMPLATE.finditer(templatize(path.read_text(), origin=str(path))):
            found |= _in_calls(f"{call[0]})")
    return found


def _in_calls(source):
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in CALLS:
            told = [a.value for a in node.args if isinstance(a, ast.Constant)]
            told = [text for text in told if isinstance(text, str)]
            if told:
                found[told[0]] = told[1] if len(told) > 1 else None
    return found


def catalogue(language):
    path = PACKAGE / "locale" / language / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)


def test_the_texts_are_found():
    found = texts()

    assert {"Sign out everywhere", "Where you are signed in", "Sign in again"} <= found.keys()
    assert len(found) > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language):
    known = catalogue(language)
    for text, plural in texts().items():
        if plural is None:
            forms = [known._catalog.get(text, "")]
        else:
            forms = [form for key, form in known._catalog.items() if key and key[0] == text]
        assert forms, text
        for form in forms:
            assert form, text
            assert set(PLACES.findall(form)) == set(PLACES.findall(text)), text
            assert "<" not in form


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_source_of_a_translation_is_what_is_compiled(language):
    folder = PACKAGE / "locale" / language / "LC_MESSAGES"
    source = (folder / "django.po").read_text()
    compiled = catalogue(language)._catalog

    assert "fuzzy" not in source
    singulars = {key if isinstance(key, str) else key[0] for key in compiled} - {""}
    for text in singulars:
        assert text.split("\n")[0][:40] in source, text
    assert len(re.findall(r"^msgid ", source, re.MULTILINE)) - 1 == len(singulars)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_told_in_words_of_its_own(language):
    code = language.lower().replace("_", "-")
    told = set()
    for reason in EndReason:
        with override(None):
            english = EndNotice("1", reason).message()
        with override(code):
            notice = EndNotice("1", reason)
            assert notice.message() != english
            told.add(notice.message())
    assert len(told) == len(EndReason)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "heading", "direction"),
    [
        ("de", "Wo Sie angemeldet sind", "ltr"),
        ("pt-BR", "Onde você está conectado", "ltr"),
        ("zh-CN", "您的登录位置", "ltr"),
        ("ms", "Tempat anda log masuk", "ltr"),
        ("ar", "أماكن تسجيل دخولك", "rtl"),
        ("eo", "Where you are signed in", "ltr"),
    ],
)
def test_the_page_speaks_the_language_of_its_reader(alice, language, heading, direction):
    browser = Browser()
    browser.sign_in("alice")

    page = browser.get("/session/", headers={**PAGE, "Accept-Language": language})

    assert f"<h1>{heading}</h1>" in page.content.decode()
    assert f'dir="{direction}"' in page.content.decode()
