"""Servers that lie, break off or never end: the right answers, or one sentence."""

from __future__ import annotations

import time

import pytest
from lazy import WHEN_RUN

from resect.errors import RunError

if WHEN_RUN:
    from tools.fuzz import servers

    from resect.deploy.http_client import Client

NAMES = (
    "properties of a list", "slots of a text", "10^9 slots", "no context", "a context of 10^30",
    "an answer that nests", "a number of 5,000 digits", "tokens of null", "tokens of texts",
    "negative tokens", "no probability", "a probability above 1", "a probability of NaN",
    "a moved server",
)  # fmt: skip


def test_a_sound_server_is_asked():
    with servers.server([]) as address:
        assert servers.ask(address) is None
        assert servers.grade(address) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_lie_is_one_sentence(name):
    trial = servers.golden(name)
    assert trial.outcome == "sentence", trial


@pytest.mark.parametrize("name", ["an answer cut short", "an answer of 10^12 bytes"])
def test_what_breaks_off_is_asked_once_more(name):
    trial = servers.golden(name)
    assert trial.outcome in ("read", "sentence"), trial


def test_every_lie_of_a_judge_is_one_sentence():
    trials = [servers.judged(name) for name in servers.JUDGED]
    assert [trial for trial in trials if trial.outcome != "sentence"] == []


def test_a_short_run():
    assert [trial for trial in servers.trials(24, seed=17) if trial.failed] == []


def test_an_answer_that_drips_ends_at_the_time_limit():
    """Each byte comes in time, the whole never."""

    def drip(body):
        time.sleep(0.2)
        return servers.answered(body, length=len(body) + 1)

    with servers.server([servers.Damage("x", 0, drip)]) as address:
        client = Client(address, timeout=0.5)
        started = time.monotonic()
        with pytest.raises(RunError, match="does not answer"):
            client.get("/props")
        assert time.monotonic() - started < 5
