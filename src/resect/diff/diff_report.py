"""What changed between two runs, as lines of text: the verdicts first, then the numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from resect.report import formatting as text

SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])")
"""Where one sentence ends and another begins."""

MOST = 10
"""Lines of a part; the rest is counted."""

FIELDS = 4
"""Fields of one line; the rest is counted."""

LONGEST = 120
"""Characters of an example."""

CLEAR = 0.05
"""Two-sided error over all cells together (Holm) below which a change of answers is clear."""

Row = Mapping[str, Any]


def lines(changes: Row, everything: bool = False) -> list[str]:
    """The lines of docs/diff.md: a limited number, or every difference."""
    most = None if everything else MOST
    if not changes["in_common"]:
        return [
            "The two runs have nothing in common: no model was asked the same task under the same "
            "recipe, level and seed in both."
        ]
    found = [line for row in changes["models"] for line in _model(row)]
    if not any(changes[part] for part in ("verdicts", "only", "values", "reordered")):
        found.append("the same findings")
    found += _part("Asked differently", _by_row(changes["asked"], most), most)
    words = [row for row in changes["verdicts"] if row["field"] != "headline"]
    said = _headline(changes["verdicts"]) + _by_row(words, most)
    found += _part("Verdicts and safe levels", said, most)
    only = changes["only"]
    found += _part("Only in one run", _rows(only) if everything else _only(only), most)
    if changes["reordered"]:
        found += ["", f"In another order: {', '.join(changes['reordered'])}"]
    values = changes["values"]
    listed = _by_row(values, None) if everything else _numbers(values, changes["shared"])
    found += _part("What else differs in rows of both runs", listed, most)
    found += _answers(changes, most)
    return found if found[0] else found[1:]


def _part(title: str, listed: Sequence[str], most: int | None) -> list[str]:
    """A title, its lines, and how many more there are; nothing without lines."""
    if not listed:
        return []
    more = len(listed) - len(listed[:most])
    rest = [f"  and {_many(more, 'more line')} (--all)"] if more else []
    return ["", title, *(f"  {line}" for line in listed[:most]), *rest]


def _model(row: Row) -> list[str]:
    """How the two models of a pair are known to be the same, where that must be said."""
    first, second = text.plain(row["first"]), text.plain(row["second"])
    if row["by"] == "role":
        return [f"{second} is compared with {first}: each is the only {row['role']} without a "
                "namesake in the other run."]  # fmt: skip
    return [f"{first} has other weights in the second run."] if row["weights"] == "other" else []


# ── findings ────────────────────────────────────────────────────────────────────────────────────


def _by_row(differences: Iterable[Row], most: int | None) -> list[str]:
    """A line for each row, with what differs in it; `most` None: all of it."""
    found = []
    for where, group in groupby(differences, _where):
        said = [_said(row) for row in group]
        shown = said if most is None else said[:FIELDS]
        more = f"; and {len(said) - len(shown)} more" if said[len(shown) :] else ""
        found.append(f"{where}: {'; '.join(shown)}{more}")
    return found


def _said(row: Row) -> str:
    """What differs in one place: `limit 60 -> 50`, or that only one run has it."""
    field = text.plain(row["field"])
    if row["kind"] == "value":
        first, second = _value(row["first"]), _value(row["second"])
        return f"{field} {first} -> {second}".strip()
    if row["kind"] == "order":
        return "in another order"
    return f"{field} only in the {row['kind']}".strip()


def _headline(verdicts: Iterable[Row]) -> list[str]:
    """The sentences of each headline that the other one lacks."""
    found = []
    for row in verdicts:
        if row["field"] == "headline":
            ours, theirs = (SENTENCE.split(str(row[run])) for run in ("first", "second"))
            for run, here, there in (("first", ours, theirs), ("second", theirs, ours)):
                found.append(
                    text.plain(f"the {run}: {' '.join(s for s in here if s not in there)}")
                )
    return found


def _rows(only: Iterable[Row]) -> list[str]:
    return [f"{_where(row)}: {_said(row)}" for row in only]


def _only(only: Iterable[Row]) -> list[str]:
    """A line for each list and field: how many rows only one run has, and the first of them."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in only:
        groups.setdefault((row["section"], row["field"]), []).append(row)
    found = []
    for (section, field), rows in groups.items():
        kinds = [row["kind"] for row in rows]
        said = [
            f"{kinds.count(kind):,} only in the {kind}"
            for kind in ("first", "second")
            if kind in kinds
        ]
        like = _named(rows[0]["row"])
        like = like if len(like) <= LONGEST else f"{like[:LONGEST]}…"
        where = f"{section} {text.plain(field)}" if field else section
        found.append(f"{where}: {', '.join(said)}{f', like {like}' if like else ''}")
    return found


def _numbers(values: Iterable[Row], shared: Mapping[str, int]) -> list[str]:
    """A line for each list: in how many rows what differs, by how much at most."""
    groups: dict[str, list[Row]] = {}
    for row in values:
        groups.setdefault(row["section"], []).append(row)
    found = []
    for section, rows in groups.items():
        fields: dict[str, list[Row]] = {}
        for row in rows:
            fields.setdefault(row["field"], []).append(row)
        # the ends of an interval and reasons go with the value they stand beside
        leading = [f for f in fields if not f.endswith(("low", "high", "reason"))] or list(fields)
        shown = [_most(field, fields[field]) for field in leading[:FIELDS] if field]
        more = len([field for field in fields if field]) - len(shown)
        rest = f" and {_many(more, 'more field')}" if more else ""
        differing = len({_where(row) for row in rows})
        total = f" of {shared[section]:,}" if section in shared else ""
        found.append(", ".join([f"{section}: {differing:,}{total} rows", *shown]) + rest)
    return found


def _most(field: str, rows: Sequence[Row]) -> str:
    """One field: the largest difference of its numbers, else in how many rows it differs."""
    pairs = [(text.finite(row["first"]), text.finite(row["second"])) for row in rows]
    apart = [abs(x - y) for x, y in pairs if x is not None and y is not None]
    name = text.plain(field)
    return f"{name} (up to {max(apart):.3g})" if apart else f"{name} ({_many(len(rows), 'row')})"


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def _answers(changes: Row, most: int | None) -> list[str]:
    """How many answers are the same, what was lost and gained, and where that is clear."""
    if changes["answers"] is None:
        return ["", f"No answers were compared: {changes['reason']}."]
    answers = changes["answers"]
    cells = [cell for cell in answers["cells"] if cell["n"]]
    if not cells:
        return ["", "No question was asked under the same recipe and level in both runs."]
    moved = [c for c in cells if c["difference"] or c["lost"] or c["gained"]]
    listed = sorted(moved, key=lambda cell: 1.0 if cell["p"] is None else cell["p"])
    found = ["", _alike(cells), *_missing(answers)]
    if listed:
        clear = sum(cell["p_holm"] is not None and cell["p_holm"] <= CLEAR for cell in cells)
        title = (
            f"Right answers changed in {len(listed):,} of {len(cells):,} cells, clearly (p at most "
            f"{CLEAR} after Holm's correction over {answers['family']:,}) in {clear:,}"
        )
        found += _part(title, [_cell(cell) for cell in listed], most)
    return found


def _alike(cells: Sequence[Row]) -> str:
    """How many answers are the same, in one line."""
    total, same, changed, lost, gained = (
        sum(cell[key] or 0 for cell in cells) for key in ("n", "same", "changed", "lost", "gained")
    )
    said = f"the same answers to {same:,} of {total:,} items in {_many(len(cells), 'cell')}"
    if same == total:
        return said
    return (
        f"{said}, the same in other words or scores to {total - same - changed:,}, other ones to "
        f"{changed:,}; right answers lost {lost:,}, gained {gained:,}"
    )


def _missing(answers: Row) -> list[str]:
    """What only one run asked."""
    found = []
    for which in ("first", "second"):
        items = sum(cell[f"only_{which}"] for cell in answers["cells"])
        cells = len(answers[f"only_{which}"])
        said = [f"{_many(items, 'more item')} in these cells"] if items else []
        said += [_many(cells, "more cell")] if cells else []
        found += [f"only in the {which}: {' and '.join(said)}"] if said else []
    if answers["unlike_tasks"]:
        names = ", ".join(map(text.plain, answers["unlike_tasks"]))
        found.append(f"not compared, as their labels or metrics are others: {names}")
    return found


def _cell(cell: Row) -> str:
    names = ("model", "recipe", "seed", "level", "task", "view")
    counts = ""
    if cell["lost"] is not None:
        counts = f"{cell['lost']} lost, {cell['gained']} gained of {cell['n']}, "
    ends = ", ".join(_signed(cell[key]) for key in ("low", "high"))
    holm = "" if cell["p_holm"] is None else f", p {cell['p']:.2g}, after Holm {cell['p_holm']:.2g}"
    where = _named({name: cell[name] for name in names})
    return f"{where}: {counts}{cell['metric']} {_signed(cell['difference'])} [{ends}]{holm}"


# ── words ───────────────────────────────────────────────────────────────────────────────────────


def _where(row: Row) -> str:
    """The list and the row that a difference stands in."""
    named = _named(row["row"])
    return f"{row['section']}, {named}" if named else str(row["section"])


def _named(row: Row) -> str:
    """What names a row, in words."""
    found = []
    for field, value in row.items():
        if field == "level":
            found.append(text.level(value))
        elif field == "seed":
            found += [] if value is None else [f"seed {value}"]
        elif value is not None:
            found.append(text.plain(value))
    return ", ".join(found)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping | list):
        return text.plain(json.dumps(value, ensure_ascii=False))
    return text.plain(value)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _signed(value: Any) -> str:
    return text.DASH if text.finite(value) is None else f"{value:+.3f}"
