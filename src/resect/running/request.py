"""Options of `resect run` to a study: a YAML file, overridden by what was given beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resect.errors import RequestError
from resect.spec import Calibration, ModelRef, Recipe, Study
from resect.spec import levels as read_levels

_DEFAULT_LEVELS = "0:0.95:0.05"


def study(
    path: Path | None,
    *,
    smoke: bool,
    models: Mapping[str, str | None],
    methods: Sequence[str] | None,
    levels: str | None,
    tasks: Sequence[str] | None,
    every_model: Mapping[str, Any],
    calibration: Mapping[str, Any],
    fields: Mapping[str, Any],
) -> Study:
    """The study asked for. What is None was not given; a mistake is one `RequestError`.

    `smoke` takes the file's small version; `every_model` goes into each model's reference,
    `calibration` into the study's.
    """
    if smoke and path is None:
        raise RequestError("--smoke runs the small version of a study file: give one.")
    asked: dict[str, Any] = Study.load(path, smoke).model_dump() if path else {"models": {}}
    _name_models(asked["models"], models, _given(every_model))
    asked["recipes"] = _recipes(asked.get("recipes", ()), methods, levels)
    if tasks:
        asked["tasks"] = _split(tasks)
    if not asked.get("tasks"):
        raise RequestError("no task is named: give --task, `resect tasks` lists them.")
    if text := _given(calibration):
        asked["calibration"] = _calibration(asked.get("calibration"), text)
    asked.update(fields)
    asked.setdefault("name", _name(asked))
    return Study.of(**asked)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _split(names: Sequence[str]) -> list[str]:
    """Names that were repeated or joined by commas."""
    return [name for part in names for name in part.split(",")]


def _name_models(
    asked: dict[str, Any], models: Mapping[str, str | None], every_model: Mapping[str, Any]
) -> None:
    """Put the models that were given into a study's own, and what holds for each of them."""
    for role, name in _given(models).items():
        asked.setdefault(role, {})["id"] = name
    if not asked:
        raise RequestError("no model is named: give a study file, or --specialist and --base.")
    for ref in asked.values():
        ref.update(every_model)


def _calibration(own: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """A study's calibration text with what was given beside it."""
    calibration = {**(own or {}), **given}
    if "data" not in calibration:
        raise RequestError(
            f"--{next(iter(given))} is of a text to calibrate on, and none is named: add "
            "--calibration (clinic, a text file, c4)."
        )
    return calibration


def model(
    name: str,
    revision: str | None,
    dtype: str,
    trust_remote_code: bool,
    calibration: str | None,
    nsamples: int,
    seqlen: int,
    seed: int,
) -> tuple[ModelRef, Calibration | None]:
    """One model and, if a text is named, the calibration that goes with it."""
    ref = ModelRef.of(
        role="model",
        id=name,
        revision=revision,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    if calibration is None:
        return ref, None
    return ref, Calibration.of(data=calibration, nsamples=nsamples, seqlen=seqlen, seed=seed)


def recipe(steps: Sequence[str]) -> Recipe:
    """The recipe of `--step` options in their order."""
    return Recipe.of(steps=" + ".join(steps))


def evaluation(
    name: str,
    tasks: Sequence[str],
    dtype: str,
    trust_remote_code: bool,
    fields: Mapping[str, Any],
    served: str | None = None,
) -> Study:
    """A study of one model and no recipe; `fields` are those of the study that were given.

    `name` is a model's, or a server's address, which serves it as `served`.
    """
    ref = {"id": name, "dtype": dtype, "trust_remote_code": trust_remote_code}
    ref |= {"served": served} if served else {}
    asked = {"models": {"model": ref}, "recipes": []}
    return Study.of(name=f"eval-{_name(asked)}", **asked, tasks=_split(tasks), **fields)


def _recipes(
    listed: Sequence[Mapping[str, Any]],
    methods: Sequence[str] | None,
    levels: str | None,
) -> list[Recipe]:
    """The file's recipes, or those of `methods`; `levels` go to what is left to sweep."""
    found = [Recipe.of(**fields) for fields in listed]
    if methods is not None or not found:
        usual = next((t.levels for t in found if t.levels), _DEFAULT_LEVELS)
        named = [Recipe.of(steps=steps) for steps in methods or ["magnitude"]]
        found = [Recipe.of(steps=t.steps, levels=usual) if t.free else t for t in named]
    if levels is None:
        return found
    if not any(t.free for t in found):
        raise RequestError(f"levels are given, but no step of {found[0].name!r} is left to sweep.")
    dose = read_levels(levels)
    return [t.model_copy(update={"levels": dose}) if t.free else t for t in found]


def _name(asked: Mapping[str, Any]) -> str:
    """A folder name for a study that has none: its models and methods."""
    ids = [ref.get("served") or ref["id"] for ref in asked["models"].values()]
    models = [name.rstrip("/").rsplit("/", 1)[-1] for name in ids]
    steps = [step.method for t in asked["recipes"] for step in t.steps]
    return re.sub(r"[^\w.+-]+", "-", "-".join([*models, *dict.fromkeys(steps)])).strip("-.")[:90]
