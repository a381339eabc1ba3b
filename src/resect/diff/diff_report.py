"""What changed between two runs, as lines of text: the verdicts first, then the numbers."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from resect.diff.answer_diff import AnswerDiff, CellDiff
from resect.diff.row_names import Plain
from resect.diff.run_diff import FindingDiff, ModelPair, RunDiff
from resect.diff.same_summary import Difference, Kind
from resect.report import formatting as text

SENTENCE = re.compile(r"(?<=\.) (?=[A-Z])")
"""Where one sentence ends and another begins."""

RUNS: tuple[Kind, ...] = ("first", "second")

MOST = 10
"""Lines of a part; the rest is counted."""

FIELDS = 4
"""Fields of one line; the rest is counted."""

LONGEST = 120
"""Characters of an example."""

NAMING = ("model", "recipe", "seed", "level", "task", "view")
"""Fields that name a cell, in the order in which they are shown."""

CLEAR = 0.05
"""Two-sided error over all cells together (Holm) below which a change of answers is clear."""


def lines(changes: RunDiff, everything: bool = False) -> list[str]:
    """The lines of docs/diff.md: a limited number, or every difference."""
    if not changes.in_common:
        return [
            "The two runs have nothing in common: no model was asked the same task under the same "
            "recipe, level and seed in both."
        ]
    most = None if everything else MOST
    shown = _findings(changes.findings, most)
    if changes.answers is None:
        shown += ["", f"No answers were compared: {changes.reason}."]
    else:
        shown += _answers(changes.answers, most)
    return shown if shown[0] else shown[1:]


def _findings(findings: FindingDiff, most: int | None) -> list[str]:
    """Models, what was asked, verdicts, rows of one run alone and numbers; `most` None: all."""
    only, values = findings.only, findings.values
    shown = [line for pair in findings.models for line in _model(pair)]
    if not (findings.verdicts or only or values or findings.reordered):
        shown.append("The findings are the same.")
    shown += _part("Asked differently", _by_row(findings.asked, most), most)
    shown += _part("Verdicts", _verdicts(findings.verdicts, most), most)
    rows = [f"{_where(difference)}: {_field(difference)}" for difference in only]
    shown += _part("Only in one run", rows if most is None else _only(only), most)
    if findings.reordered:
        shown += ["", f"In another order: {', '.join(findings.reordered)}"]
    listed = _by_row(values, None) if most is None else _numbers(values, findings.shared)
    return shown + _part("Other differences in rows of both runs", listed, most)


def _verdicts(differences: Sequence[Difference], most: int | None) -> list[str]:
    """The headlines, then a line for each other row; `most` None: all of it."""
    headlines = [row for row in differences if row.section == "headline"]
    others = [row for row in differences if row.section != "headline"]
    return [line for row in headlines for line in _headline(row)] + _by_row(others, most)


def _part(title: str, listed: Sequence[str], most: int | None) -> list[str]:
    """A title, its lines, and how many more there are; nothing without lines."""
    if not listed:
        return []
    more = len(listed) - len(listed[:most])
    rest = [f"  and {_many(more, 'more line')} (--all)"] if more else []
    return ["", title, *(f"  {line}" for line in listed[:most]), *rest]


def _model(pair: ModelPair) -> list[str]:
    """How the two models of a pair are known to be the same, where that must be told."""
    first, second = text.plain(pair.first), text.plain(pair.second)
    if pair.by == "role":
        return [f"{second} is compared with {first}: each is the only {pair.role} whose name is "
                "not in the other run."]  # fmt: skip
    return [f"The weights of {first} differ between the runs."] if pair.weights == "other" else []


# ── findings ────────────────────────────────────────────────────────────────────────────────────


def _by_row(differences: Iterable[Difference], most: int | None) -> list[str]:
    """A line for each row, with what differs in it; `most` None: all of it."""
    shown = []
    for where, group in groupby(differences, _where):
        fields = [_field(difference) for difference in group]
        listed = fields if most is None else fields[:FIELDS]
        more = f"; and {len(fields) - len(listed)} more" if fields[len(listed) :] else ""
        shown.append(f"{where}: {'; '.join(listed)}{more}")
    return shown


def _field(difference: Difference) -> str:
    """What differs in one place: `limit 60 -> 50`, or that only one run has it."""
    field = text.plain(difference.field)
    if difference.kind == "value":
        first, second = _value(difference.first), _value(difference.second)
        return f"{field} {first} -> {second}".strip()
    if difference.kind == "order":
        return "in another order"
    return f"{field} only in the {difference.kind}".strip()


def _headline(difference: Difference) -> list[str]:
    """The sentences of each headline that the other one lacks."""
    first, second = (SENTENCE.split(str(run)) for run in (difference.first, difference.second))
    return [
        text.plain(f"the {which}: {' '.join(part for part in own if part not in other)}")
        for which, own, other in (("first", first, second), ("second", second, first))
    ]


def _only(only: Iterable[Difference]) -> list[str]:
    """A line for each list and field: how many rows only one run has, and the first of them."""
    groups: dict[tuple[str, str], list[Difference]] = defaultdict(list)
    for difference in only:
        groups[difference.section, difference.field].append(difference)
    shown = []
    for (section, field), differences in groups.items():
        kinds = Counter(difference.kind for difference in differences)
        counts = [f"{kinds[kind]:,} only in the {kind}" for kind in RUNS if kinds[kind]]
        example = _named(differences[0].row)
        example = example if len(example) <= LONGEST else f"{example[:LONGEST]}…"
        where = f"{section} {text.plain(field)}" if field else section
        shown.append(f"{where}: {', '.join(counts)}{f', like {example}' if example else ''}")
    return shown


def _numbers(values: Iterable[Difference], shared: Mapping[str, int]) -> list[str]:
    """A line for each list: in how many rows what differs, by how much at most."""
    sections: dict[str, dict[str, list[Difference]]] = defaultdict(lambda: defaultdict(list))
    for difference in values:
        sections[difference.section][difference.field].append(difference)
    shown = []
    for section, fields in sections.items():
        differing = len({_where(row) for differences in fields.values() for row in differences})
        total = f" of {shared[section]:,}" if section in shared else ""
        shown.append(", ".join([f"{section}: {differing:,}{total} rows", *_fields(fields)]))
    return shown


def _fields(fields: Mapping[str, Sequence[Difference]]) -> list[str]:
    """The first fields that differ in a list, by how much each, and how many more there are."""
    named = [field for field in fields if field]
    # the ends of an interval and reasons go with the value they stand beside
    leading = [field for field in named if not field.endswith(("low", "high", "reason"))] or named
    shown = [_most(field, fields[field]) for field in leading[:FIELDS]]
    more = len(named) - len(shown)
    if more and shown:
        shown[-1] += f" and {_many(more, 'more field')}"
    return shown


def _most(field: str, differences: Sequence[Difference]) -> str:
    """One field: the largest difference of its numbers, else in how many rows it differs."""
    pairs = [(text.finite(row.first), text.finite(row.second)) for row in differences]
    apart = [abs(x - y) for x, y in pairs if x is not None and y is not None]
    name = text.plain(field)
    if apart:
        return f"{name} (up to {max(apart):.3g})"
    return f"{name} ({_many(len(differences), 'row')})"


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def _answers(answers: AnswerDiff, most: int | None) -> list[str]:
    """How many answers are the same, what was lost and gained, and where that is clear."""
    cells = [cell for cell in answers.cells if cell.n]
    if not cells:
        return ["", "No question was asked under the same recipe and level in both runs."]
    moved = [cell for cell in cells if cell.difference or cell.lost or cell.gained]
    moved.sort(key=lambda cell: 1.0 if cell.p is None else cell.p)
    shown = ["", _alike(cells), *_missing(answers)]
    if moved:
        clear = sum(cell.p_holm is not None and cell.p_holm <= CLEAR for cell in cells)
        title = (
            f"Right answers changed in {len(moved):,} of {len(cells):,} cells, clearly (p at most "
            f"{CLEAR} after Holm's correction over {answers.family:,}) in {clear:,}"
        )
        shown += _part(title, [_cell(cell) for cell in moved], most)
    return shown


def _alike(cells: Sequence[CellDiff]) -> str:
    """How many answers are the same, in one line."""
    total, same = sum(cell.n for cell in cells), sum(cell.same for cell in cells)
    clause = (
        f"The answers to {same:,} of {total:,} items in {_many(len(cells), 'cell')} are the same"
    )
    if same == total:
        return f"{clause}."
    changed = sum(cell.changed for cell in cells)
    lost, gained = sum(cell.lost or 0 for cell in cells), sum(cell.gained or 0 for cell in cells)
    return (
        f"{clause}, {total - same - changed:,} have the same label in other words or with other "
        f"scores, {changed:,} have another label. Right answers: {lost:,} lost, {gained:,} gained."
    )


def _missing(answers: AnswerDiff) -> list[str]:
    """What only one run asked."""
    shown = []
    for run, items, cells in (
        ("first", sum(cell.only_first for cell in answers.cells), answers.only_first),
        ("second", sum(cell.only_second for cell in answers.cells), answers.only_second),
    ):
        parts = [f"{_many(items, 'more item')} in these cells"] if items else []
        parts += [_many(len(cells), "more cell")] if cells else []
        shown += [f"Only in the {run}: {' and '.join(parts)}"] if parts else []
    if answers.unlike_tasks:
        names = ", ".join(map(text.plain, answers.unlike_tasks))
        shown.append(f"Not compared, because their labels or metrics differ: {names}")
    return shown


def _cell(cell: CellDiff) -> str:
    where = _named({name: getattr(cell, name) for name in NAMING})
    counts = holm = ""
    if cell.lost is not None:
        counts = f"{cell.lost} lost, {cell.gained} gained of {cell.n}, "
    if cell.p is not None and cell.p_holm is not None:
        holm = f", p {cell.p:.2g}, after Holm {cell.p_holm:.2g}"
    ends = ", ".join(_signed(end) for end in (cell.low, cell.high))
    return f"{where}: {counts}{cell.metric} {_signed(cell.difference)} [{ends}]{holm}"


# ── words ───────────────────────────────────────────────────────────────────────────────────────


def _where(difference: Difference) -> str:
    """The list and the row that a difference stands in."""
    named = _named(difference.row)
    return f"{difference.section}, {named}" if named else difference.section


def _named(row: Mapping[str, Plain]) -> str:
    """What names a row, in words."""
    words = []
    for field, value in row.items():
        if field == "level":
            words.append(text.level(value))
        elif field == "seed":
            words += [] if value is None else [f"seed {value}"]
        elif value is not None:
            words.append(text.plain(value))
    return ", ".join(words)


def _value(value: Plain) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping | list):
        return text.plain(json.dumps(value, ensure_ascii=False))
    return text.plain(value)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _signed(value: float | None) -> str:
    return text.DASH if value is None else f"{value:+.3f}"
