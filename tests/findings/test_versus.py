"""Two cells on the same items, by hand."""

import pandas as pd
import pytest
from answers_by_hand import YN, cell
from lobotomy_logs import task

from resect.findings.frame import Key, frames
from resect.findings.paired_test import versus


def against(before, after, parents=None):
    gold = ["yes"] * len(before)
    rows = pd.concat(
        [cell(m, 0, gold, x, parent=parents) for m, x in (("a", after), ("b", before))]
    )
    frame = frames(rows, {"t": task("t", YN)})[0]["t"]
    return versus(frame, *(Key(m, "none", 0, 0.0, "text") for m in "ab"))


def test_one_gained_and_four_lost_of_ten():
    """McNemar: 2 (1 + 5) / 2^5 = 0.375."""
    found = against(["yes"] * 9 + ["no"], ["no"] * 4 + ["yes"] * 6)
    assert (found.only_a, found.only_b) == (1, 4)
    assert found.difference == pytest.approx(-0.3)
    assert found.p == pytest.approx(0.375)
    assert found.low < -0.3 < found.high


def test_nothing_changed_is_no_evidence_also_where_items_share_a_parent():
    same = ["yes", "no", "yes", "yes"]
    for parents in (None, ["p", "p", "q", "q"]):
        found = against(same, same, parents)
        assert (found.difference, found.p) == (0.0, 1.0)
        assert found.low < 0 < found.high
