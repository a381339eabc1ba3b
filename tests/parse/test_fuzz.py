"""The part of tools/fuzz/parse.py that runs in seconds, and proof that it sees each failure."""

from __future__ import annotations

import importlib.util
import random
import time
from collections import Counter
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "tools" / "fuzz" / "parse.py"
spec = importlib.util.spec_from_file_location("fuzz_parse", PATH)
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)


def test_mutated_texts_do_no_harm():
    counts, wrong = fuzz.run(fuzz.corpus(None), 150, seed=18, bound=10.0)
    assert wrong == []
    assert {reader for reader, _ in counts} == set(fuzz.READERS)
    assert sum(counts.values()) == 150 * len(fuzz.READERS)
    assert len({outcome.partition(":")[0] for _, outcome in counts}) > 4


def test_a_seed_gives_the_same_texts():
    first, second = (
        [fuzz.mutated(fuzz.corpus(None), dice) for _ in range(20)]
        for dice in (random.Random(3), random.Random(3))
    )
    assert first == second


def _raises(text):
    raise ValueError(text)


def _slow(text):
    time.sleep(0)
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    return None, "off_task"


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (_raises, "ValueError: x"),
        (lambda text: ("E", "answer"), "answer 'E' is no label"),
        (lambda text: (None, "lost"), "unknown outcome lost"),
        (lambda text: ("A" if text == "x" else None, "answer"), "after reasoning"),
        (_slow, "took"),
    ],
)
def test_each_kind_of_failure_is_seen(monkeypatch, read, kind):
    monkeypatch.setattr(fuzz, "READERS", {"reader": (read, frozenset("ABCD"))})
    (failure,) = fuzz.failures("x", 0.01, Counter())
    assert kind in failure.kind
