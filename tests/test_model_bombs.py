"""Model folders that ask for too much, hang or lie: one sentence, in little time and memory."""

from __future__ import annotations

import resource

import pytest
from lazy import WHEN_RUN

if WHEN_RUN:
    from tools.fuzz import model_folders as fuzz

pytestmark = pytest.mark.slow


def test_the_sound_folder_is_read():
    fuzz.identify(fuzz.sample())


def test_what_once_failed_is_one_sentence_in_5_s_and_256_mb():
    """Each within 5 s of computing (`tried`), and no new peak of memory."""
    fuzz.identify(fuzz.sample())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    trials = [fuzz.golden(name) for name in fuzz.GOLDEN]
    assert [trial for trial in trials if trial.outcome != "sentence"] == []
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 256


def test_a_short_run():
    assert [trial for trial in fuzz.trials(15, seed=17) if trial.failed] == []
