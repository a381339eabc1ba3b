"""Checks of recorded rows before anything is written, and warnings about them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from resect.errors import RequestError, unknown
from resect.record import digest
from resect.recorded.row import Recorded
from resect.spec import level as exact
from resect.tasks.variants import VARIANTS

_CUTTER = re.compile(
    r"(?<![a-z])(?:magnitude|wanda|sparsegpt|ria|random|neurons|heads|experts|prun|spars)", re.I
)
_QUANTIZER = re.compile(
    r"quant|bnb|gptq|awq|hqq|gg(?:uf|ml)|torchao|aqlm|squeezellm|exl[23]|marlin|bitnet"
    r"|(?<![a-z])(?:nf4|b?fp?(?:4|8|16)(?!\d)|int[248]|quip|spqr|rtn|bits?(?![a-z])|q[2-8]"
    r"|w\d+a\d+)",
    re.I,
)
MOST_BITS, USUAL_BITS = 32, 16


def checked(rows: Sequence[Recorded]) -> list[Recorded]:
    """The rows with exact levels and the baseline named `none`; one sentence where one is wrong."""
    if not rows:
        raise RequestError("no answer was recorded: the files hold no rows.")
    whole = []
    seen: set[tuple[object, ...]] = set()
    for row in rows:
        where = f"{row.source}: item {row.item}"
        if not row.gold.strip():
            raise RequestError(
                f"{where} of {row.task} has no gold answer: add it, or leave the item out "
                "everywhere."
            )
        level = None if row.level is None else exact(row.level)
        if row.recipe == "none" and level:
            raise RequestError(f"{where} has recipe none and level {level:g}: name the recipe.")
        baseline = level == 0 or row.recipe == "none"
        row = replace(row, recipe="none", level=0.0) if baseline else replace(row, level=level)
        _measured(row, where)
        key = (row.model, row.recipe, row.level, row.task, row.item)
        if key in seen:
            dose = "" if row.level is None else f" at {row.level:g}"
            raise RequestError(
                f"{where} of {row.task} is answered twice by {row.model} under {row.recipe}{dose}: "
                "keep one answer per item."
            )
        seen.add(key)
        whole.append(row)
    _doses(whole)
    _asked_again(whole)
    return whole


def _measured(row: Recorded, where: str) -> None:
    """One option score and one choice for each label, each label once."""
    labels = row.labels
    if row.option_scores is not None and len(row.option_scores) != len(labels):
        raise RequestError(
            f"{where} has {len(row.option_scores)} option scores for {len(labels)} labels."
        )
    if row.choices and len(row.choices) != len(labels):
        raise RequestError(f"{where} has {len(row.choices)} choices for {len(labels)} labels.")
    if len(set(labels)) < len(labels):
        raise RequestError(f"{where} names a label twice: {', '.join(labels)}.")


def _asked_again(rows: Sequence[Recorded]) -> None:
    """Every variant has a name that is known, and is of a question that was asked."""
    asked = {(row.task, row.item) for row in rows if row.variant is None}
    for row in rows:
        if row.variant is None:
            continue
        if row.variant not in VARIANTS:
            raise unknown("variant", row.variant, VARIANTS)
        if (row.task, row.parent) not in asked:
            raise RequestError(
                f"{row.source}: item {row.item} of {row.task} is the {row.variant} variant of "
                f"{row.parent or 'no question'}, which has no answer: name the question as parent."
            )


def _doses(rows: Sequence[Recorded]) -> None:
    """Refuse levels that are percent: a level is a fraction removed, or bits of a quantizer."""
    levels: dict[str, dict[float, str]] = defaultdict(dict)
    for row in rows:
        if row.level:
            levels[row.recipe].setdefault(row.level, row.source)
    for recipe, sources in levels.items():
        top, bottom = max(sources), min(sources)
        if top < 1:
            continue
        where = sources[top]
        if bottom < 1:
            raise RequestError(
                f"{where}: {recipe} mixes levels below 1 ({bottom:g}) with levels of 1 or more "
                f"({top:g}): write 0.5 for 50 %."
            )
        bits = bool(_QUANTIZER.search(recipe))
        percent = top > MOST_BITS or (not bits and bool(_CUTTER.search(recipe)))
        odd = [x for x in sources if USUAL_BITS < x < MOST_BITS]
        if percent or (odd and not bits):
            raise RequestError(
                f"{where}: level {(top if percent else odd[0]):g} of {recipe} is neither a "
                "fraction removed nor bits per weight: write 0.5 for 50 %."
            )


def bits(rows: Sequence[Recorded]) -> list[str]:
    """A sentence for each recipe that no name shows to be a quantizer, with levels in bits."""
    levels: dict[str, set[float]] = defaultdict(set)
    for row in rows:
        if row.level and row.level >= 1 and not _QUANTIZER.search(row.recipe):
            levels[row.recipe].add(row.level)
    return [
        f"{recipe}: its levels ({', '.join(f'{x:g}' for x in sorted(own))}) are read as bits "
        "per weight; fractions removed are written 0.5 for 50 %."
        for recipe, own in levels.items()
    ]


def gaps(rows: Sequence[Recorded]) -> list[str]:
    """A sentence for each recipe whose levels rise evenly but for some that no model has."""
    levels: dict[str, set[float]] = defaultdict(lambda: {0.0})
    for row in rows:
        if row.level is not None and row.recipe != "none" and row.level < 1:
            levels[row.recipe].add(row.level)
    notes = []
    for recipe, own in levels.items():
        ordered = sorted(own)
        step = min((b - a for a, b in pairwise(ordered)), default=1.0)
        lacking = _lacking(ordered, step)
        if 0 < len(lacking) <= len(ordered) // 4:
            shown = ", ".join(f"{x:g}" for x in lacking)
            notes.append(
                f"{recipe}: no model has answers at {shown}, though its levels rise by "
                f"{step:.3g}; the gap is bridged by a straight line and never counted as 0."
            )
    return notes


def _lacking(levels: Sequence[float], step: float) -> list[float]:
    """The multiples of a step that rising levels lack; none where they do not rise evenly."""
    places = [round(x / step, 3) for x in levels]
    if len(levels) < 5 or any(p != int(p) for p in places) or places[-1] > 2 * len(levels):
        return []
    return [exact(i * step) for i in range(int(places[-1])) if i not in places]


def identity(hashes: Sequence[str], row: Recorded) -> str:
    """Name of a model's state as its files recorded it."""
    return digest(["recorded", sorted(hashes), row.model, row.recipe, row.level])
