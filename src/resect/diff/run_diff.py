"""What changed from one run to another: their findings, paired by what names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resect.diff.row_names import FOUND, renamed
from resect.diff.same_summary import Difference, Summary, compared, load

VERDICTS = {"headline", "state", "safe_level", "verdict", "verdict_holm", "first"}
"""Fields that say in a word what follows from the numbers; of `smallest_safe` all it picks."""

FOREMOST = ("verdict", "safety", "smallest_safe")
"""Lists whose words stand first."""

ASKED = {"schema", "study", "models", "tasks"}
"""What was asked and not what was found."""

Row = dict[str, Any]


def between(first: Summary, second: Summary) -> Row:
    """Every difference between the findings of two runs, sorted by how much it says.

    Models are paired by name; where names do not match, those that alone have a role in both
    runs are taken for one another. The keys are described in docs/diff.md.
    """
    one, other = load(first), load(second)
    models = same_models(one, other)
    ours = {row["second"]: row["first"] for row in models}
    found, shared = compared(one, renamed_models(other, ours))
    asked = [d for d in found if _top(d) in ASKED]
    rest = [d for d in found if _top(d) not in ASKED]
    words = [d for d in rest if d.kind == "value" and _is_verdict(d)]
    words.sort(key=lambda d: FOREMOST.index(_top(d)) if _top(d) in FOREMOST else len(FOREMOST))
    said = {id(d) for d in words}
    return {
        "same": not found and all(row["by"] == "name" for row in models),
        "models": models,
        "asked": [d._asdict() for d in asked],
        "verdicts": [d._asdict() for d in words],
        "only": [d._asdict() for d in rest if d.kind in ("first", "second")],
        "values": [d._asdict() for d in rest if d.kind == "value" and id(d) not in said],
        "reordered": list(dict.fromkeys(d.section for d in rest if d.kind == "order")),
        "shared": {section: n for section, n in shared.items() if n and section not in ASKED},
    }


def same_models(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Row]:
    """Which model of the second run stands for which of the first, by name or else by role.

    `weights` says whether the two are `same` or `other` by their fingerprints, None unknown.
    """
    left = {str(row["name"]): row for row in one.get("models") or ()}
    right = {str(row["name"]): row for row in other.get("models") or ()}
    pairs = [(name, name, "name") for name in left if name in right]
    spare = [
        [n for n in names if n not in theirs] for names, theirs in ((left, right), (right, left))
    ]
    for name in spare[0]:
        role = left[name].get("role")
        mine = [n for n in spare[0] if left[n].get("role") == role]
        theirs = [n for n in spare[1] if right[n].get("role") == role]
        if role and len(mine) == len(theirs) == 1:
            pairs.append((name, theirs[0], "role"))
    return [
        {
            "first": mine,
            "second": theirs,
            "role": left[mine].get("role"),
            "by": by,
            "weights": _weights(left[mine].get("fingerprint"), right[theirs].get("fingerprint")),
        }
        for mine, theirs, by in pairs
    ]


def renamed_models(summary: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A summary in which models have the names of those they stand for."""
    found: dict[str, Any] = renamed(summary, names)
    if "models" in found:
        found["models"] = [
            {**row, "name": names.get(row["name"], row["name"])} for row in found["models"]
        ]
    return found


def _weights(one: str | None, other: str | None) -> str | None:
    return None if one is None or other is None else "same" if one == other else "other"


def _top(difference: Difference) -> str:
    return difference.section.partition(".")[0]


def _is_verdict(difference: Difference) -> bool:
    field = difference.field.rpartition(".")[2]
    return field in VERDICTS or field in (
        FOUND["smallest_safe"] if difference.section == "smallest_safe" else ()
    )
