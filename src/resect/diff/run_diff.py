"""What changed from one run to another: their findings compared row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from resect.diff.answer_diff import AnswerDiff
from resect.diff.row_names import Plain
from resect.diff.same_summary import Difference, SummarySource, compared, load

VERDICTS = {"state", "passed_level", "word", "verdict", "verdict_holm", "first"}
"""Fields that say in a word what follows from the numbers."""

PICKED = {"recipe", "level"}
"""The same of `choice.chosen`: the version that was chosen."""

FOREMOST = ("headline", "verdict", "verdicts", "choice")
"""Lists whose words stand first."""

ASKED = {"schema", "study", "models", "tasks"}
"""Sections that say what was asked, not what was measured."""

MODELS = ("model", "a", "b", "keeps", "loses")
"""Fields that hold the name of a model."""


@dataclass(frozen=True, slots=True)
class ModelPair:
    """A model of the first run and the one of the second that stands for it, by name or role.

    `weights` says whether the two are the same by their fingerprints, None unknown.
    """

    first: str
    second: str
    role: str | None
    by: Literal["name", "role"]
    weights: Literal["same", "other"] | None


@dataclass(frozen=True, slots=True)
class FindingDiff:
    """Every difference between the findings of two runs: see docs/diff.md."""

    same: bool
    models: tuple[ModelPair, ...]
    asked: tuple[Difference, ...]
    verdicts: tuple[Difference, ...]
    only: tuple[Difference, ...]
    values: tuple[Difference, ...]
    reordered: tuple[str, ...]
    shared: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RunDiff:
    """Two runs compared: findings, and answers or the reason why there are none."""

    findings: FindingDiff
    answers: AnswerDiff | None
    reason: str | None

    @property
    def in_common(self) -> bool:
        """Whether the runs are the same, or any curve or cell is in both."""
        cells = self.answers is not None and bool(self.answers.cells)
        return self.findings.same or bool(self.findings.shared.get("curves")) or cells

    def to_data(self) -> dict[str, object]:
        """The document of `resect diff --json`."""
        return {
            "schema": 1,
            "in_common": self.in_common,
            **asdict(self.findings),
            "answers": None if self.answers is None else asdict(self.answers),
            "reason": self.reason,
        }


def diff_findings(first: SummarySource, second: SummarySource) -> FindingDiff:
    """Every difference between the findings of two runs, the most important first.

    Models are paired by name; where names do not match, those that alone have a role in both
    runs are taken for one another.
    """
    left, right = load(first), load(second)
    models = same_models(left, right)
    names = {pair.second: pair.first for pair in models}
    differences, shared = compared(left, renamed_models(right, names))
    parts: dict[str, list[Difference]] = defaultdict(list)
    for difference in differences:
        parts[_part(difference)].append(difference)
    return FindingDiff(
        same=not differences and all(pair.by == "name" for pair in models),
        models=models,
        asked=tuple(parts["asked"]),
        verdicts=tuple(sorted(parts["verdicts"], key=_foremost)),
        only=tuple(parts["only"]),
        values=tuple(parts["values"]),
        reordered=tuple(dict.fromkeys(d.section for d in parts["reordered"])),
        shared={section: n for section, n in shared.items() if n and section not in ASKED},
    )


def _part(difference: Difference) -> Literal["asked", "only", "reordered", "verdicts", "values"]:
    """The part of a `FindingDiff` that a difference belongs to."""
    section, field = _top(difference), difference.field.rpartition(".")[2]
    if section in ASKED:
        return "asked"
    if difference.kind != "value":
        return "reordered" if difference.kind == "order" else "only"
    picked = difference.section == "choice" and field in PICKED
    answer = section == "headline" and field == "text"
    return "verdicts" if picked or answer or field in VERDICTS else "values"


def _foremost(difference: Difference) -> int:
    section = _top(difference)
    return FOREMOST.index(section) if section in FOREMOST else len(FOREMOST)


def same_models(first: Mapping[str, Plain], second: Mapping[str, Plain]) -> tuple[ModelPair, ...]:
    """Which model of the second run stands for which of the first, by name or else by role."""
    left, right = _models(first), _models(second)
    pairs = [_pair(row, right[name], "name") for name, row in left.items() if name in right]
    spare_left = [row for name, row in left.items() if name not in right]
    spare_right = [row for name, row in right.items() if name not in left]
    for model in spare_left:
        role = model.get("role")
        rivals = [row for row in spare_left if row.get("role") == role]
        others = [row for row in spare_right if row.get("role") == role]
        if role and len(rivals) == len(others) == 1:
            pairs.append(_pair(model, others[0], "role"))
    return tuple(pairs)


def _models(summary: Mapping[str, Plain]) -> dict[str, Mapping[str, Plain]]:
    """The rows of the models of a summary, by name."""
    entries = summary.get("models")
    entries = entries if isinstance(entries, list | tuple) else ()
    return {str(entry["name"]): entry for entry in entries if isinstance(entry, Mapping)}


def _pair(
    first: Mapping[str, Plain], second: Mapping[str, Plain], by: Literal["name", "role"]
) -> ModelPair:
    role, left, right = first.get("role"), first.get("fingerprint"), second.get("fingerprint")
    weights: Literal["same", "other"] | None = None
    if left is not None and right is not None:
        weights = "same" if left == right else "other"
    names = str(first["name"]), str(second["name"])
    return ModelPair(*names, None if role is None else str(role), by, weights)


def renamed_models(summary: Mapping[str, Plain], names: Mapping[str, str]) -> dict[str, Plain]:
    """A summary in which models have the names of those they stand for."""
    result = {key: _renamed(value, names) for key, value in summary.items()}
    if "models" in result:
        result["models"] = [
            {**row, "name": names.get(name, name)} for name, row in _models(result).items()
        ]
    return result


def _renamed(value: Plain, names: Mapping[str, str]) -> Plain:
    """The same findings with other names of models."""
    if isinstance(value, Mapping):
        return {
            key: names.get(entry, entry)
            if key in MODELS and isinstance(entry, str)
            else _renamed(entry, names)
            for key, entry in value.items()
        }
    return [_renamed(entry, names) for entry in value] if isinstance(value, list | tuple) else value


def _top(difference: Difference) -> str:
    return difference.section.partition(".")[0]
