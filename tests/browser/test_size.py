"""The script is as small as is promised, measured by what people minify with."""

import gzip
import subprocess

import pytest
from django.contrib.staticfiles import finders

from live_single_session.templatetags.live_single_session import KEEPER, SCRIPT, SHARER, TIMER
from tests.servers.npm import npm

DIALOG = "  // ---- The dialog ---"  # what follows runs when there is something to show
OFF_WE_GO = "  // ---- Off we go ---"


def minified_and_gzipped(code: str) -> int:
    command = [npm("terser5", "terser@5") / "bin" / "terser", "--compress", "--mangle"]
    done = subprocess.run(command, input=code.encode(), capture_output=True, check=True)
    return len(gzip.compress(done.stdout, 9))


@pytest.fixture
def code():
    with open(finders.find(SCRIPT), encoding="utf-8") as file:
        return file.read()


def test_the_script_is_small(code):
    assert minified_and_gzipped(code) <= 7 * 1024


def test_most_of_it_is_for_when_there_is_something_to_show(code):
    before, rest = code.split(DIALOG)
    off_we_go = rest[rest.index(OFF_WE_GO) :]

    assert minified_and_gzipped(before + off_we_go) <= 5 * 1024


def test_what_keeps_drafts_is_small_too():
    with open(finders.find(KEEPER), encoding="utf-8") as file:
        assert minified_and_gzipped(file.read()) <= 1024


def test_what_warns_of_limits_in_time_is_small_too():
    with open(finders.find(TIMER), encoding="utf-8") as file:
        assert minified_and_gzipped(file.read()) <= 3.5 * 1024


def test_what_says_which_browser_it_is_is_tiny():
    with open(finders.find(SHARER), encoding="utf-8") as file:
        assert minified_and_gzipped(file.read()) <= 600
