"""Where a study's own parses and ours part, counted by hand."""

from dataclasses import asdict

import pandas as pd

from resect.findings.replication.parser_agreement import agreement

LABELS = ("yes", "no", "maybe")


def test_counts_by_hand():
    theirs = ["yes", "no", "maybe", "maybe", "no", "X", "X", "yes"]
    ours = ["yes", "no", None, None, None, None, "yes", "no"]
    found = asdict(agreement("t", pd.DataFrame({"recorded": theirs, "answer": ours}), LABELS))
    sentence = found.pop("says")
    assert found == {
        "task": "t",
        "n": 8,
        "agree": 3 / 8,
        "unread": 4,
        "counted_as": {"yes": 0, "no": 1 / 4, "maybe": 2 / 4},
        "changed": 1,
        "missed": 1,
    }
    assert sentence == (
        "On t, the study's own parses and ours agree in 37.5 % of 8 texts; of the 4 without an "
        "answer it counted 50 % as maybe, 25 % as no; it took 1 as another label; it saw no answer "
        "in 1 that have one."
    )


def test_readers_that_agree_have_nothing_to_explain():
    row = agreement("t", pd.DataFrame({"recorded": ["yes"], "answer": ["yes"]}), LABELS)
    assert (row.agree, row.unread, row.changed, row.missed) == (1, 0, 0, 0)
    assert row.says.endswith("100.0 % of 1 texts.")
