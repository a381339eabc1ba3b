"""Where a study's own parses and ours part, counted by hand."""

import pandas as pd

from resect.replication.parser_agreement import in_words, parted

LABELS = ("yes", "no", "maybe")


def test_counts_by_hand():
    theirs = ["yes", "no", "maybe", "maybe", "no", "X", "X", "yes"]
    ours = ["yes", "no", None, None, None, None, "yes", "no"]
    found = parted(pd.DataFrame({"recorded": theirs, "answer": ours}), LABELS)
    assert found == {
        "n": 8,
        "agree": 3 / 8,
        "unread": 4,
        "counted_as": {"yes": 0, "no": 1 / 4, "maybe": 2 / 4},
        "changed": 1,
        "missed": 1,
    }
    assert in_words("t", found) == (
        "On t, the study's own parses and the reading anew agree in 37.5 % of 8 texts; of the 4 "
        "without an answer it counted 50 % as maybe, 25 % as no; 1 it took as another label; in 1 "
        "it saw no answer where there is one."
    )


def test_readers_that_agree_have_nothing_to_explain():
    found = parted(pd.DataFrame({"recorded": ["yes"], "answer": ["yes"]}), LABELS)
    assert (found["agree"], found["unread"], found["changed"], found["missed"]) == (1, 0, 0, 0)
    assert in_words("t", found).endswith("100.0 % of 1 texts.")
