"""Operating characteristics of the verdict, by simulation: how often it errs, and what it finds.

`python benchmarks/truth.py [--quick] [--json]` prints one table; seeded, minutes on one core. Every
row says what was simulated, what should come out and what did. `--quick` draws a tenth.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from resect.findings.choice import LENIENT, SPENT, alpha_of
from resect.findings.curves import Curve
from resect.findings.failure_order import Contestant, race
from resect.findings.frame import Key, TaskFrame
from resect.findings.guardrails import guardrails, watched
from resect.findings.looks import BETA, SHARES
from resect.findings.primary_test import Rule, primary
from resect.findings.rows import Word
from resect.findings.skill_intervals import skill_intervals
from resect.record import TaskInfo
from resect.stats.alpha_spending import futile, levels
from resect.stats.bounded_mean import Strata, score_p, units
from resect.stats.crossings import half_level
from resect.stats.multiplicity import bootstrap_p, holm
from resect.stats.power import copy_passes, p_values, passing, power, simulated

ALPHA, MARGIN = 0.025, 0.05
MIXES = {
    "one label": [1.0],
    "50/50": [0.5, 0.5],
    "85/15": [0.85, 0.15],
    "55/34/11": [0.55, 0.34, 0.11],
    "25 x 4": [0.25] * 4,
}
LIMIT = 0.0275
"""Alpha and what the simulation itself may err by."""
SIZES = (50, 100, 200, 340, 364, 500, 1000)


class Row(NamedTuple):
    """One line of the table; `holds` is None of a row that only shows."""

    property: str
    case: str
    target: str
    value: float
    holds: bool | None


def share(values: Sequence[bool] | np.ndarray) -> float:
    """The share that is true."""
    return float(np.mean(values))


def split(mix: Sequence[float], n: int) -> list[int]:
    """Items of each label."""
    return [max(1, round(part * n)) for part in mix]


# ── errors of the primary test ──────────────────────────────────────────────────────────────────


def at_the_margin(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """P(pass) where the true loss is the margin; refused where even a copy would fail."""
    for name, mix in MIXES.items():
        for n in SIZES:
            sizes = split(mix, n)
            if not copy_passes(sizes, MARGIN, ALPHA):
                yield Row("refused", f"{name}, n = {n}", "shown", 1.0, None)
                continue
            rates = [
                share(passing(simulated(rng, sizes, flips, MARGIN, 4 * draws), MARGIN, ALPHA))
                for flips in (0.10, 0.15, 0.20)
            ]
            rate = float(np.mean(rates))
            yield Row("P(pass) at the margin", f"{name}, n = {n}", ".015 to .025", rate,
                      0.015 <= rate <= LIMIT)  # fmt: skip


def sequences(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Claims beyond the margin in 19 levels, and with several tasks that must all pass."""
    sizes = split(MIXES["55/34/11"], 500)
    losses = np.linspace(0.0, 0.09, 19)  # the margin is crossed at the eleventh level
    wrong = np.zeros(draws, dtype=bool)
    claimed = np.ones(draws, dtype=bool)
    for loss in losses:
        claimed &= passing(simulated(rng, sizes, 0.15, loss, draws), MARGIN, ALPHA)
        if loss >= MARGIN:
            wrong |= claimed
    yield Row(
        "claims beyond the margin", "19 levels", "<= .025", share(wrong), share(wrong) <= 0.0275
    )
    for tasks in (1, 3, 6):
        passed = np.ones(draws, dtype=bool)
        for number in range(tasks):
            loss = MARGIN if number == 0 else 0.0
            passed &= passing(simulated(rng, sizes, 0.15, loss, draws), MARGIN, ALPHA)
        rate = share(passed)
        yield Row(
            "P(pass), one task at the margin", f"{tasks} tasks", "<= .025", rate, rate <= 0.0275
        )


def selections(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Select, then confirm: some of 20 recipes at the margin named, of which none should be."""
    sizes = split(MIXES["55/34/11"], 500)  # of each half
    for recipes, loss in ((20, MARGIN), (20, 0.045), (1, MARGIN)):
        named = np.zeros(draws, dtype=bool)
        left = np.full(draws, ALPHA)
        for _ in range(recipes):
            looks_good = passing(simulated(rng, sizes, 0.15, loss, draws), MARGIN, LENIENT)
            each = SPENT * left
            confirm = simulated(rng, sizes, 0.15, loss, draws)
            p = p_values(confirm, MARGIN)
            tested = looks_good & ~named
            named |= tested & (p < each)
            left = np.where(tested, left - each, left)
        rate = share(named)
        beyond = loss >= MARGIN
        target = "<= .025" if beyond else "shown"
        yield Row("a version named wrongly" if beyond else "a version named",
                  f"{recipes} recipes, loss {100 * loss:g} points", target, rate,
                  rate <= LIMIT if beyond else None)  # fmt: skip


def powers(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Power against the planner's, and copies wherever the planner lets them run."""
    copies = []
    for name, mix in MIXES.items():
        for n in SIZES:
            sizes = split(mix, n)
            if not copy_passes(sizes, MARGIN, ALPHA):
                continue
            same = simulated(rng, sizes, 0.0, 0.0, 1)
            copies.append(bool(passing(same, MARGIN, ALPHA)[0]))
            for loss in (0.0, 0.01):
                planned = power(sizes, MARGIN, ALPHA, 0.06, loss)
                got = share(passing(simulated(rng, sizes, 0.06, loss, draws), MARGIN, ALPHA))
                if n in (200, 500, 1000):
                    yield Row("power less the planner's", f"{name}, n = {n}, loss {100 * loss:g}",
                              "within .03", got - planned, abs(got - planned) <= 0.03)  # fmt: skip
    yield Row("a copy passes", f"{len(copies)} designs that the planner allows", "1", share(copies),
              all(copies))  # fmt: skip


def parents(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Whole parents lost with a probability of the margin: five items each."""
    for count in (20, 40, 73, 100, 200):
        clusters = np.repeat(np.arange(count), 5)
        group, items = np.zeros(5 * count, dtype=np.intp), np.ones(5 * count, dtype=bool)
        lost = -(rng.random((draws, count)) < MARGIN).astype(float)
        values = np.repeat(lost, 5, axis=1)
        span = np.array([[-1.0, 1.0]])
        copy = units(np.zeros((1, 5 * count)), items, group, np.ones(1), span, clusters)
        if score_p(copy, -MARGIN)[0] >= ALPHA:
            yield Row("whole parents lost", f"{count} parents", "<= .03 or refused", 0.0, True)
            continue
        rate = share(
            passing(units(values, items, group, np.ones(1), span, clusters), MARGIN, ALPHA)
        )
        yield Row("whole parents lost", f"{count} parents", "<= .03 or refused", rate, rate <= 0.03)


def looks(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Asked in looks: errors and power of all looks together, and the share of questions asked."""
    bounds, give_up = levels(ALPHA, SHARES), futile(ALPHA, BETA, SHARES)
    for name in ("50/50", "55/34/11"):
        for n in (400, 1000):
            parts = split(MIXES[name], n // len(SHARES))
            for loss in (0.0, 0.01, MARGIN, 0.10):
                sample = simulated(rng, parts, max(0.06, loss), loss, draws)
                counts, going = np.zeros_like(sample.counts), np.ones(draws, dtype=bool)
                passed, asked = np.zeros(draws, dtype=bool), np.zeros(draws)
                for look, alpha in enumerate(bounds):
                    counts += simulated(rng, parts, max(0.06, loss), loss, draws).counts
                    p = p_values(sample._replace(counts=counts), MARGIN)
                    asked[going] = SHARES[look]
                    passed |= going & (p < alpha)
                    going &= (p >= alpha) & (-ndtri(p.clip(1e-300, 1 - 1e-12)) > give_up[look])
                where = f"{name}, n = {n}, loss {100 * loss:g}"
                rate, questions = share(passed), float(asked.mean())
                if loss >= MARGIN:
                    yield Row("P(pass) in looks", where, "<= .025", rate, rate <= LIMIT)
                else:
                    whole = share(p < ALPHA)  # of the same draws, all asked
                    yield Row("power in looks less of all items", where, "within .03",
                              rate - whole, abs(rate - whole) <= 0.03)  # fmt: skip
                yield Row("share of the questions asked", where, "shown", questions, None)


LADDERS = {
    "two destroyed, then good": (0.30, 0.20, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "falling slowly": (0.15, 0.08, 0.03, 0.02, 0.01, 0.0, 0.0, 0.0),
    "around the margin": (0.06, 0.05, 0.05, 0.05, 0.04, 0.02, 0.0, 0.0),
    "all at the margin": (0.05,) * 8,
}
"""Losses of the versions of a ladder, the smallest first."""


def ladders(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """`resect choose`: versions in turn, selected on one half and confirmed on the other, in looks.

    Beside it the full grid: every version asked all items, chosen by the same rule.
    """
    runs, n = max(draws // 2, 200), 500  # items of each half
    for name, losses in LADDERS.items():
        chosen, grid = np.full(runs, -1), np.full(runs, -1)
        tried, asked = np.zeros(runs, dtype=int), np.zeros(runs)
        grid_tried = np.zeros(runs, dtype=int)
        for place, loss in enumerate(losses):
            halves = [_stages(rng, n, loss, runs) for _ in range(2)]
            going = chosen < 0
            good, share_asked = _looked(halves[0], LENIENT)
            asked += np.where(going, share_asked, 0.0)
            test = going & good
            for number in range(tried.max() + 1):
                some = test & (tried == number)
                passed, share_asked = _looked(halves[1], alpha_of(number, ALPHA))
                asked += np.where(some, share_asked, 0.0)
                chosen = np.where(some & passed, place, chosen)
            tried += test
            test = (grid < 0) & (p_values(halves[0][-1], MARGIN) < LENIENT)
            whole = p_values(halves[1][-1], MARGIN)
            passed = np.array([p < alpha_of(k, ALPHA)
                               for p, k in zip(whole, grid_tried, strict=True)])  # fmt: skip
            grid = np.where(test & passed, place, grid)
            grid_tried += test
        beyond = np.array([*(loss >= MARGIN for loss in losses), False])
        wrong, named = share(beyond[chosen]), share(chosen >= 0)
        yield Row("a version beyond the margin chosen", name, "<= .025", wrong, wrong <= LIMIT)
        yield Row("any version chosen", name, "shown", named, None)
        yield Row("the same choice as of the full grid", name, "shown", share(chosen == grid), None)
        used = float(asked.mean()) / (2 * len(losses))
        yield Row("share of the grid's questions", name, "<= .25", used, used <= 0.25)


def _stages(rng: np.random.Generator, n: int, loss: float, draws: int) -> list[Strata]:
    """One half of the items as it grows look by look."""
    parts = [n // len(SHARES) // 2] * 2
    sample = simulated(rng, parts, max(0.06, loss), loss, draws)
    counts, grown = np.zeros_like(sample.counts), []
    for _ in SHARES:
        counts = counts + simulated(rng, parts, max(0.06, loss), loss, draws).counts
        grown.append(sample._replace(counts=counts))
    return grown


def _looked(grown: Sequence[Strata], alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Which draws pass in looks at this one-sided error, and the share of the items asked."""
    bounds, give_up = levels(alpha, SHARES), futile(alpha, BETA, SHARES)
    count = len(grown[0].counts)
    going, passed, asked = np.ones(count, bool), np.zeros(count, bool), np.zeros(count)
    for look, sample in enumerate(grown):
        p = p_values(sample, MARGIN)
        asked[going] = SHARES[look]
        passed |= going & (p < bounds[look])
        going &= (p >= bounds[look]) & (-ndtri(p.clip(1e-300, 1 - 1e-12)) > give_up[look])
    return passed, asked


# ── the whole verdict of one task ───────────────────────────────────────────────────────────────


def a_curve(gold: np.ndarray, before: np.ndarray, after: np.ndarray, labels: Sequence[str],
            tags: Sequence[dict[str, str]] | None = None) -> Curve:  # fmt: skip
    """A sweep of one level from answers (N,) before and after."""
    names = tuple(str(i) for i in range(len(gold)))
    frame = TaskFrame("t", tuple(labels), names, names, gold.astype(np.int8), ids=names,
                      tags=tuple(tags or [{}] * len(gold)))  # fmt: skip
    keys = (Key("m", "none", 0, 0.0, "text"), Key("m", "r", 0, 0.5, "text"))
    codes = np.stack([before, after]).astype(np.int8)
    return Curve("m", "specialist", "r", 0, "text", (0.0, 0.5), keys, codes, frame)


def judged(curve: Curve) -> tuple[Word, bool]:
    """The word of the primary test, and whether a guardrail tripped."""
    info = TaskInfo("t", "label", curve.frame.labels, "", "", 8)
    test = primary(curve, info, Rule(MARGIN, 0.8, ALPHA), {})
    assert test is not None
    guards = guardrails({"t": (test, watched(test, None, info), info)}, 0.5)
    return test.word(1), any(guard.tripped for guard in guards)


def answers(rng: np.random.Generator, gold: np.ndarray, right: float, k: int) -> np.ndarray:
    """Answers that are right with this probability, else any other label."""
    other = (gold + rng.integers(1, k, len(gold))) % k
    return np.where(rng.random(len(gold)) < right, gold, other)


def flipped(rng: np.random.Generator, gold: np.ndarray, before: np.ndarray, k: int, flips: float
            ) -> np.ndarray:  # fmt: skip
    """Answers of which a share goes from right to wrong, and as many back."""
    after, right = before.copy(), before == gold
    lost = right & (rng.random(len(gold)) < flips / 2 / right.mean())
    back = ~right & (rng.random(len(gold)) < flips / 2 / max((~right).mean(), 1e-9))
    after[lost] = (gold[lost] + rng.integers(1, k, int(lost.sum()))) % k
    after[back] = gold[back]
    return after


def verdicts(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Test and guardrails together, as a run judges them."""
    runs = max(draws // 20, 20)
    passed = []
    for _ in range(runs):
        words = []
        for k in (2, 3, 4):
            gold = rng.integers(0, k, 1000)
            before = answers(rng, gold, 0.8, k)
            words.append(
                judged(a_curve(gold, before, flipped(rng, gold, before, k, 0.06), "ABCD"[:k]))
            )
        passed.append(all(word is Word.PASSED and not trips for word, trips in words))
    yield Row("passes, 6 % flips and no loss", "3 tasks of 1,000", ">= .95", share(passed),
              share(passed) >= 0.95)  # fmt: skip
    stopped, copies = [], []
    for _ in range(runs):
        gold = rng.integers(0, 2, 1500)
        before = answers(rng, gold, 0.77, 2)
        tags = [{"ward": "a" if i < 150 else "b"} for i in range(1500)]
        after = before.copy()
        hit = (np.arange(1500) < 150) & (before == gold) & (rng.random(1500) < 0.30 / 0.77)
        after[hit] = 1 - gold[hit]
        word, trips = judged(a_curve(gold, before, after, "AB", tags))
        stopped.append(trips or word is not Word.PASSED)
        word, trips = judged(a_curve(gold, before, before, "AB", tags))
        copies.append(word is Word.PASSED and not trips)
    yield Row("a subgroup's fall of 30 points stopped", "150 of 1,500 items",
              ">= .95", share(stopped),
              share(stopped) >= 0.95)  # fmt: skip
    yield Row("a copy passes, guardrails too", "1,500 items", "1", share(copies), all(copies))


# ── intervals, cliffs, many tests ───────────────────────────────────────────────────────────────


def coverages(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Coverage of the 95 % interval of skill, over label mixes of two and four.

    At one true share of few items coverage moves in steps that no interval without added chance
    avoids: of 50 items right with .99, 0 or 1 are wrong in 91.1 % of samples, 0 to 2 in 98.6 %. So
    it is also told for shares spread around the named one, errors from 2/3 to 3/2 of its own.
    """
    runs = max(draws // 4, 100)
    for k in (2, 4):
        for n in (50, 200, 1000):
            for right in (0.5, 0.8, 0.95, 0.99, 0.995):
                gold = np.arange(n) % k
                near = 1 - (1 - right) * (2 / 3) ** rng.uniform(-1, 1, runs)
                for name, shares in (("near", near), ("right", np.full(runs, right))):
                    codes = np.stack([answers(rng, gold, x, k) for x in shares])
                    covered = _covered(gold, codes, k, shares - (1 - shares) / (k - 1))
                    good = 0.93 <= covered <= 0.97
                    yield Row("coverage of skill", f"{k} labels, n = {n}, {name} {right:g}",
                              ".93 to .97" if name == "near" else "shown", covered,
                              good if name == "near" else None)  # fmt: skip


def _covered(gold: np.ndarray, codes: np.ndarray, k: int, true: np.ndarray) -> float:
    names = tuple(str(i) for i in range(len(gold)))
    frame = TaskFrame("t", tuple("ABCD"[:k]), names, names, gold.astype(np.int8), ids=names)
    places = tuple(float(i) for i in range(len(codes)))
    keys = tuple(Key("m", "r", 0, level, "text") for level in places)
    curve = Curve("m", "specialist", "r", 0, "text", places, keys, codes.astype(np.int8), frame)
    rows = skill_intervals(curve)
    inside = [
        row.low - 1e-9 <= value <= row.high + 1e-9 for row, value in zip(rows, true, strict=True)
    ]
    return share(inside)


def half_levels(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Coverage of the true half-level on grids of several steps; false leads of equal curves."""
    runs, n, resamples = max(draws // 10, 40), 1000, 300
    for step in (0.05, 0.1, 0.2):
        levels = np.arange(0, 0.96, step)
        for slope in (8.0, 25.0):
            covered = []
            for _ in range(runs):
                true = rng.uniform(0.3, 0.7)
                kept = 1 / (1 + np.exp(slope * (levels - true)))
                retained = _resampled(rng, kept / kept[0], n, resamples)
                half = np.log(2 * (1 + np.exp(-slope * true)) - 1) / slope + true
                row = half_level(levels, retained)
                low = -np.inf if row.low is None else row.low
                high = np.inf if row.high is None else row.high
                covered.append(low <= half <= high)
            rate = share(covered)
            yield Row("coverage of the half-level", f"steps of {step:g}, slope {slope:g}", ">= .93",
                      rate, rate >= 0.93)  # fmt: skip
    wrong = []
    levels = np.arange(0, 0.96, 0.05)
    for _ in range(runs):
        clear = False
        for _ in range(12):  # races of one study
            true = rng.uniform(0.3, 0.7)
            kept = 1 / (1 + np.exp(12 * (levels - true)))
            both = [_resampled(rng, kept / kept[0], 200, resamples) for _ in "ab"]
            clear |= race([Contestant(x, levels, y) for x, y in zip("ab", both, strict=True)]).clear
        wrong.append(clear)
    yield Row(
        "a false clear lead", "12 races a study", "<= .05", share(wrong), share(wrong) <= 0.05
    )


def _resampled(rng: np.random.Generator, kept: np.ndarray, n: int, resamples: int) -> np.ndarray:
    """Shares kept of n items that fail for good one after the other, with bootstrap rows."""
    fails = rng.random(n)
    right = (fails[None] < kept[:, None]).astype(float)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    values = np.vstack([right.mean(axis=1), weights @ right.T / n])
    return values / values[:, :1]


def many_tests(rng: np.random.Generator, draws: int) -> Iterator[Row]:
    """Holm over 57 tasks, one of which truly differs, from 200 resamples."""
    found = []
    for _ in range(max(draws // 20, 20)):
        p = [bootstrap_p(rng.normal(0, 1, 201)) or 1.0 for _ in range(56)]
        p.append(bootstrap_p(np.concatenate([[6.0], rng.normal(6, 1, 200)])) or 1.0)
        found.append(holm(p)[-1] <= 0.05)
    yield Row("Holm with 57 tasks finds 6 standard errors", "200 resamples", ">= .95", share(found),
              share(found) >= 0.95)  # fmt: skip


SECTIONS = (at_the_margin, sequences, selections, powers, parents, verdicts, coverages, half_levels,
            many_tests, looks, ladders)  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--only", help="one section by its name")
    options = parser.parse_args()
    draws = 1000 if options.quick else 10_000
    rows: list[Row] = []
    for number, section in enumerate(SECTIONS):
        if options.only in (None, section.__name__):
            for row in section(np.random.default_rng([17, number]), draws):
                rows.append(row)
                if not options.json:
                    mark = {True: "ok", False: "NO", None: ""}[row.holds]
                    line = f"{row.property:44} {row.case:34} {row.target:18}"
                    print(f"{line} {row.value:7.4f} {mark}", flush=True)
    failed = sum(row.holds is False for row in rows)
    if options.json:
        print(json.dumps({
            "name": "truth", "ratio": None, "peer": None, "machine": platform.platform(),
            "draws": draws, "failed": failed, "rows": [row._asdict() for row in rows],
        }))  # fmt: skip
    else:
        print(f"{len(rows)} rows, {failed} outside of their target ({draws} draws)")


if __name__ == "__main__":
    main()
