"""Whether damaged models fall into saying yes: of the answers given, on the same items."""

import numpy as np
import pytest
from answers_by_hand import cell, run

GOLD = (["yes"] * 55 + ["no"] * 45) * 4
LABELS = ("yes", "no", "maybe")


def says(share, seed=0):
    """Answers with a share of yes; None is silence throughout."""
    rng = np.random.default_rng(seed)
    return [None if share is None else "yes" if rng.random() < share else "no" for _ in GOLD]


def sweep(model, shares):
    """Cells of a recorded study that reads silence as maybe."""
    rows = []
    for at, share in enumerate(shares):
        answers = says(share, at)
        recorded = ["maybe" if a is None else a for a in answers]
        rows.append(cell(model, at / 10, GOLD, answers, recorded=recorded))
    return rows


def claimed(*sweeps):
    found = run([rows for one in sweeps for rows in one], labels=LABELS)["published"]
    (claim,) = [row for row in found["claims"] if "bias" in row["claim"]]
    return claim["verdict"], claim["why"], found["said"]


RISES = (0.6, 0.7, 0.85, 0.98, None)
FALLS = (0.6, 0.5, 0.3, 0.1)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (RISES, RISES, "holds"),  # silence at the end takes nothing from it
        (RISES, FALLS, "does not hold"),
        (FALLS, FALLS, "does not hold"),
        (RISES, (0.6, 0.95, 0.2), "does not hold"),
        (RISES, (0.6, None, None), "cannot be said"),
        ((0.6, 0.62, 0.58), RISES, "cannot be said"),  # not clear either way
        ((0.1, 0.3, 0.4), RISES, "cannot be said"),  # rises to what is right, not above
    ],
)
def test_the_claim_can_hold_and_fail(one, other, verdict):
    assert claimed(sweep("a", one), sweep("b", other))[0] == verdict


def test_answers_that_stay_are_shown_to_stay():
    stays = [cell("a", x, GOLD, says(0.6), recorded=says(0.6)) for x in (0.0, 0.5)]
    verdict, why, _ = claimed(stays)
    assert verdict == "does not hold"
    assert "+0.000 [" in why


def test_shares_by_hand():
    start = ["yes"] * 300 + ["no"] * 100
    end = ["yes"] * 60 + [None] * 220 + ["no"] * 20 + ["yes"] * 40 + [None] * 60
    rows = [cell("a", x, GOLD, s, recorded=s) for x, s in ((0.0, start), (0.5, end))]
    rows.append(cell("a", 0.9, GOLD, ["yes"] * 49 + [None] * 351, recorded=["yes"] * 400))
    _, why, found = claimed(rows)
    first, second, few = found
    assert (first["answered"], first["share"]) == (400, 0.75)
    # 120 are answered at both: 60 yes stay, 20 become no, 40 become yes
    assert (second["answered"], second["n"]) == (120, 120)
    assert second["share"] == pytest.approx(100 / 120)
    assert second["baseline"] == pytest.approx(80 / 120)
    assert second["change"] == pytest.approx(20 / 120)
    assert second["low"] < 20 / 120 < second["high"]
    gold = [GOLD[i] for i in range(400) if end[i] is not None]
    assert second["right"] == pytest.approx(gold.count("yes") / 120)
    assert (few["answered"], few["change"]) == (49, None)
    assert "most often in 0.833 of 120 (level 0.5)" in why
