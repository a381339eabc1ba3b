"""Findings over several tasks: medical against general tasks, abstaining where there is no answer.

Tasks are resampled apart from each other, so their draws are put together row by row. Shapes:
R + 1 rows (row 0 is the sample), L levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from resect.findings.curves import Curve, Sampled, damage, retention, unordered
from resect.findings.frame import Level
from resect.findings.race import race
from resect.findings.robustness import area
from resect.record import TaskInfo
from resect.stats.design_effect import share
from resect.stats.intervals import NOTHING, Floats, Interval, interval, intervals

DOMAINS = ("medical", "general")
SIDES = ("unanswerable", "answerable")


class Drawn(NamedTuple):
    """What one curve lends to findings over tasks: skill (R + 1, L), share kept, declined items.

    `declined[side]` are weighted sums of the items declined, asked, declined by guessing
    as often as answered, and as often as asked, (R + 1, L) each.
    """

    curve: Curve
    domain: str | None
    skill: Floats | None
    retention: Floats | None
    declined: Mapping[str, tuple[Floats, ...]]


def drawn(sampled: Sampled, info: TaskInfo) -> Drawn:
    """The draws of one curve."""
    curve, frame = sampled.curve, sampled.curve.frame
    kept = sampled.draws if frame.skilled else None
    declined = {}
    blank = (np.zeros(len(frame.items)),) * 4
    weights = sampled.weights.astype(float)
    for side, table in frame.declined.items():
        if any(key in table for key in curve.keys):
            each = zip(*(table.get(key, blank) for key in curve.keys), strict=True)
            declined[side] = tuple(weights @ np.stack(part).T for part in each)
    if kept is None:
        return Drawn(curve, info.domain, None, None, declined)
    return Drawn(curve, info.domain, kept.skill, kept.retention, declined)


Sweep = tuple[str, str, int, str]


def _sweeps(found: Iterable[Drawn]) -> dict[Sweep, list[Drawn]]:
    groups: dict[Sweep, list[Drawn]] = defaultdict(list)
    for one in found:
        c = one.curve
        groups[c.model, c.recipe, c.seed, c.view].append(one)
    return groups


def _head(group: Sequence[Drawn]) -> dict[str, Any]:
    c = group[0].curve
    return {"model": c.model, "role": c.role, "recipe": c.recipe, "seed": c.seed,
            "view": c.view}  # fmt: skip


def _common(group: Sequence[Drawn]) -> list[Level]:
    """The levels that every curve of a group has, in rising damage."""
    shared = set.intersection(*(set(one.curve.levels) for one in group))
    return sorted(shared, key=damage)


def _at(one: Drawn, values: Floats, levels: Sequence[Level]) -> Floats:
    return values[:, [one.curve.levels.index(x) for x in levels]]


# ── domains ─────────────────────────────────────────────────────────────────────────────────────


def domains(found: Sequence[Drawn]) -> list[dict[str, Any]]:
    """What share of its skill each sweep keeps on medical and on general tasks.

    The mean over the tasks of a domain that start with skill, at every level that all were asked
    at; `difference` is medical minus general in the area under these shares over the range of
    levels. A sweep without tasks of both domains is left out.
    """
    rows = []
    for group in _sweeps(found).values():
        parts = {name: [o for o in group if o.domain == name] for name in DOMAINS}
        if group[0].curve.recipe == "none" or not all(parts.values()):
            continue
        rows.append(_head(group) | _domain_row(parts))
    return rows


def _domain_row(parts: Mapping[str, list[Drawn]]) -> dict[str, Any]:
    ready = {name: [o for o in got if o.retention is not None] for name, got in parts.items()}
    tasks = {name: [o.curve.frame.name for o in got] for name, got in ready.items()}
    row: dict[str, Any] = {"tasks": tasks, "levels": [], "difference": NOTHING._asdict()}
    row["first"] = race(None, None, None, None, DOMAINS)
    lacking = [name for name, got in ready.items() if not got]
    if lacking:
        return row | {"reason": f"no {' and no '.join(lacking)} task starts with skill"}
    both = [one for got in ready.values() for one in got]
    gaps = [f"{o.curve.frame.name}: {why}" for o in both if (why := unordered(o.curve))]
    levels = _common(both)
    if gaps or len(levels) < 2:
        return row | {"reason": "; ".join(gaps) or "fewer than 2 levels in common"}
    means = {
        name: np.mean([_at(o, o.retention, levels) for o in got if o.retention is not None], axis=0)
        for name, got in ready.items()
    }
    x = np.array([0.0 if level is None else level for level in levels])
    shown = {name: intervals(values) for name, values in means.items()}
    row["levels"] = [
        {"level": level, **{name: shown[name][i]._asdict() for name in DOMAINS}}
        for i, level in enumerate(levels)
    ]
    areas = [area(x, means[name]) / (x[-1] - x[0]) for name in DOMAINS]
    row["difference"] = interval(areas[0] - areas[1])._asdict()
    first = race(x, means["medical"], means["general"], None, DOMAINS)
    return row | {"first": first, "reason": None}


# ── abstention ──────────────────────────────────────────────────────────────────────────────────


def abstention(found: Sequence[Drawn]) -> list[dict[str, Any]]:
    """How much more often a sweep abstains where there is no answer than where there is one.

    J = abstains on the unanswerable minus abstains on the answerable, of all items that offer to
    abstain, over all tasks: 1 is ideal, 0 a model that always or never abstains (Youden 1950).
    `guess` is the J of a model that takes any option, which is not 0 where one side has more
    options to take; the race goes by what is above it, silence being nothing too.
    """
    rows = []
    for group in _sweeps(found).values():
        sides = {side: [o for o in group if side in o.declined] for side in SIDES}
        both = [*sides["unanswerable"], *sides["answerable"]]
        if not all(sides.values()):
            continue
        levels = _common(both)
        rates = {side: _rates(got, side, levels) for side, got in sides.items()}
        values = rates["unanswerable"].above - rates["answerable"].above
        row = _head(group) | {
            "tasks": {side: [o.curve.frame.name for o in got] for side, got in sides.items()},
            "levels": [],
        }
        for i, level in enumerate(levels):
            ends = [_declined(sides[side], side, level) for side in SIDES]
            counts = [int(rates[side].given[0, i]) for side in SIDES]
            guesses = [float(rates[side].guess[0, i]) for side in SIDES]
            if all(counts):
                row["levels"].append({
                    "level": level,
                    **{s: {**e._asdict(), "n": n}
                       for s, e, n in zip(SIDES, ends, counts, strict=True)},
                    "j": {**_difference(*ends)._asdict(), "guess": guesses[0] - guesses[1]},
                })  # fmt: skip
        row["first"] = _abstention_race(sides["answerable"], levels, values)
        rows.append(row)
    return rows


def _declined(group: Sequence[Drawn], side: str, level: Level) -> Interval:
    """The share declined of all answers of one side; those to one question hang together."""
    hits, clusters, before = [], [], 0
    for one in group:
        curve, frame = one.curve, one.curve.frame
        found = frame.declined[side].get(curve.keys[curve.levels.index(level)])
        if found is not None:
            gone, given = (part.astype(int) for part in found[:2])
            at = np.repeat(np.arange(len(given)), given)
            place = np.arange(len(at)) - np.repeat(np.cumsum(given) - given, given)
            hits.append(place < gone[at])
            clusters.append(frame.cluster[at] + before)
            before += len(given)
    flags = np.concatenate(hits) if hits else np.zeros(0, dtype=bool)
    shared = np.concatenate(clusters) if hits else np.zeros(0, dtype=np.intp)
    return share(flags, np.ones(len(flags), dtype=bool), shared)


class _Rates(NamedTuple):
    """Of one side over tasks, (R + 1, L) each: sums, share by guessing, share beyond guessing."""

    gone: Floats
    given: Floats
    guess: Floats
    above: Floats


def _rates(group: Sequence[Drawn], side: str, levels: Sequence[Level]) -> _Rates:
    gone, given, guessed, offered = (
        np.sum([_at(one, one.declined[side][i], levels) for one in group], axis=0) for i in range(4)
    )
    with np.errstate(all="ignore"):
        return _Rates(gone, given, offered / given, (gone - guessed) / given)


def _difference(a: Interval, b: Interval) -> Interval:
    """A minus b of two independent shares, by Newcombe's method 10 (1998, Stat. Med. 17:873)."""
    known = [x for x in (*a, *b) if x is not None]
    if len(known) < 6:
        return NOTHING
    p, l1, u1, q, l2, u2 = known
    low = p - q - float(np.hypot(p - l1, u2 - q))
    high = p - q + float(np.hypot(u1 - p, q - l2))
    return Interval(p - q, low, high)


def _abstention_race(
    group: Sequence[Drawn], levels: Sequence[Level], values: Floats
) -> dict[str, Any]:
    """J against the mean skill on the tasks that it was asked beside."""
    able = [one for one in group if one.skill is not None]
    why = next((w for o in group if (w := unordered(o.curve))), None)
    if why or not able or group[0].curve.recipe == "none":
        return race(None, None, None, why or "nothing is swept")
    skill = np.mean([_at(o, o.skill, levels) for o in able if o.skill is not None], axis=0)
    kept = []
    for draws, name in ((skill, "skill"), (values, "abstention")):
        share, reason = _share(draws, name)
        if share is None:
            return race(None, None, None, reason)
        kept.append(share)
    x = np.array([0.0 if level is None else level for level in levels])
    return race(x, kept[0], kept[1], None)


def _share(values: Floats, name: str) -> tuple[Floats | None, str | None]:
    if np.isnan(values[0]).any():
        return None, f"{name} is not defined at every level"
    return retention(values, f"starts without {name}")
