"""Weights, headers, indices, cards, rows and policies of others: read, or one sentence; no bomb."""

from __future__ import annotations

import resource

import pytest
from lazy import WHEN_RUN

if WHEN_RUN:
    from tools.fuzz import files

pytestmark = pytest.mark.slow


def test_what_once_failed_is_one_sentence_in_5_s_and_256_mb():
    """Each within 5 s of computing (`tried`), and no new peak of memory."""
    assert list(files.trials(len(files.KINDS), seed=1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    trials = [files.golden(name) for name in files.GOLDEN]
    assert [trial for trial in trials if trial.outcome != "sentence"] == []
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 256


def test_a_short_run():
    trials = list(files.trials(400, seed=17))
    assert [trial for trial in trials if trial.failed] == []
    assert {trial.outcome for trial in trials} == {"read", "sentence"}
