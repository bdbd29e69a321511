"""A sample of `make explore`, and protections taken out, which it has to notice."""

import subprocess

import pytest

from tests.explore.__main__ import ENGINES, start

# Where taking out a protection does harm, so that few interleavings show it.
HARM = {
    "locks": "--engine db --first sign_in_elsewhere --second sign_in_elsewhere",
    "rotation_lock": "--engine cache --first rotate --second rotate",
    "fence": "--engine cache --first save --second sign_in_elsewhere",
    "marks": "--engine cache --first save --second sign_in_elsewhere",
    "late_saves": "--engine cache --first save --second sign_in_elsewhere",
    "late_cookies": "--engine db --first save --second rotate",
    "faster_rotation": "--engine db --first change_password --second rotate",
    "password_check": "--engine db --first sign_in --second change_password",
    "known_keys": "--engine db --first rotate --second adopt",
    "burial": "--engine cache --first adopt --second flush",
}

# Pairs that have gone wrong once.
FOUND = [
    "--first expire --second rotate",
    "--first rotate --second expire",
    "--first sign_in --second change_password",
    "--first adopt --second flush",
    "--first sign_out --second adopt",
    "--first change_password --second change_password --atomic yes",
]


@pytest.fixture
def explore(site_database, request):
    """`explore("--engine db")`: the return code, and what was printed."""
    seed = str(request.config.getoption("randomly_seed"))  # pytest prints it

    def run(arguments):
        process = start(
            site_database("postgres"),
            *arguments.split(),
            *("--seed", seed),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        printed, _ = process.communicate()
        return process.returncode, printed

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_inv1_inv2_nothing_goes_wrong_in_a_sample_of_interleavings(engine, explore):
    code, printed = explore(f"--engine {engine} --sample 60")
    assert code == 0, printed
    assert "60 interleavings" in printed


@pytest.mark.parametrize("pair", FOUND)
def test_inv1_inv2_no_order_of_a_pair_that_went_wrong_does_so_again(pair, explore):
    code, printed = explore(f"--engine cache --way sync --atomic no --limit 1 {pair}")
    assert code == 0, printed


@pytest.mark.parametrize("protection", HARM)
def test_explorer_notices_that_a_protection_is_missing(protection, explore):
    code, printed = explore(f"{HARM[protection]} --without {protection} --until-found")
    assert code == 1, printed
    assert "held at step" in printed
