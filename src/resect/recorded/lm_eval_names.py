"""Who an lm-eval folder speaks of: model, treatment and level from its results file and names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.parents import short

_TIME = r"\d{4}-\d\d-\d\dT[\d:.\-]+"
SAMPLES = re.compile(rf"samples_(?P<task>.+)_(?P<time>{_TIME})\.jsonl")
RESULTS = re.compile(rf"results_(?P<time>{_TIME})\.json")

_METHODS = "magnitude|wanda|sparsegpt|ria|random|neurons|heads|experts|pruned|prune|sparsity|sparse"
_DOSE = re.compile(
    rf"[-_.]*(?:(?P<method>{_METHODS})[-_=:]*)(?P<number>\d+(?:\.\d+)?)(?:[-_]?(?:percent|pct|%))?"
    r"|[-_]*(?P<percent>\d+(?:\.\d+)?)[-_]?(?:percent|pct|%)"
    r"|[-_]*(?P<bits>[2-8])[-_]?bits?\b",
    re.IGNORECASE,
)
_ARGUMENTS = ("sparsity", "sparsity_ratio", "pruning_ratio", "compression_ratio")


class Subject(NamedTuple):
    """Who answered."""

    model: str
    id: str
    role: str | None
    treatment: str
    level: float | None

    def fields(self) -> dict[str, Any]:
        """The fields of a `Recorded` row that this fills."""
        return {name: value for name, value in self._asdict().items() if name != "id"}


def subject_of(
    name: str, results: Mapping[str, Mapping[str, Any]], path: Path
) -> tuple[Subject, Mapping[str, Any]]:
    """Who the sample file `name` speaks of, and its results file ({} where there is none)."""
    said = _results_of(name, results)
    folder = PurePosixPath(name).parent.name or path.resolve().name
    config = said.get("config") or {}
    ours = config.get("resect")
    if ours:
        return Subject(*(ours[field] for field in Subject._fields)), said
    arguments = _arguments(config.get("model_args"))
    model = str(arguments.get("pretrained") or said.get("model_name") or folder.replace("__", "/"))
    given = next((arguments[key] for key in _ARGUMENTS if key in arguments), None)
    if given is not None:
        return _dosed(short(model), model, "compressed", float(given)), said
    for text in (short(model), folder):
        found = _DOSE.search(text)
        if found:
            rest = (text[: found.start()] + text[found.end() :]).strip("-_. ")
            bare = short(rest.replace("__", "/")) or short(model)
            return _matched(bare, model, found), said
    return Subject(short(model), model, None, "none", None), said


def _results_of(name: str, results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The results file of the same run: same time, else the newest beside it or above it."""
    sample = PurePosixPath(name)
    found = SAMPLES.fullmatch(sample.name)
    time = found["time"] if found else ""
    for folder in (sample.parent, *sample.parent.parents):
        beside = {n: r for n, r in results.items() if PurePosixPath(n).parent == folder}
        named = {str(r.get("model_name")) for r in beside.values() if r.get("model_name")}
        if len(named) > 1:
            raise RequestError(
                f"{folder} holds results of two models ({', '.join(sorted(named))}): give each "
                "a folder of its own."
            )
        exact = [r for n, r in beside.items() if time in n]
        if exact or beside:
            return exact[0] if exact else beside[max(beside)]
    return {}


def _arguments(value: Any) -> dict[str, Any]:
    """`model_args` as a dict, from both ways lm-eval has written them."""
    if isinstance(value, dict):
        return value
    pairs = (part.partition("=") for part in str(value or "").split(","))
    return {key.strip(): text for key, found, text in pairs if found}


def _matched(model: str, full: str, found: re.Match[str]) -> Subject:
    if found["bits"]:
        return Subject(model, full, None, "quantized", float(found["bits"]))
    number = float(found["percent"] or found["number"])
    whole = found["percent"] or number >= 1
    method = (found["method"] or "compressed").lower()
    method = "compressed" if method.startswith(("prun", "spars")) else method
    method = "sparsegpt" if (found["method"] or "").lower() == "sparsegpt" else method
    return _dosed(model, full, method, number / 100 if whole else number)


def _dosed(model: str, full: str, treatment: str, level: float) -> Subject:
    return Subject(model, full, None, treatment if level else "none", level or None)
