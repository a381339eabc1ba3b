"""Command-line options to a study: a YAML file, with single options overriding it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from resect.errors import RequestError
from resect.spec import GGUF_SWEEP, ModelRef, Recipe, Study
from resect.spec import levels as read_levels
from resect.spec.steps import at_methods

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
    """The study that the options describe; None means not given. Mistakes raise `RequestError`.

    `smoke` takes the small version of the file; `every_model` applies to each model, `calibration`
    to the study's calibration.
    """
    if smoke and path is None:
        raise RequestError("--smoke runs the small version of a study file: give the file too.")
    asked: dict[str, Any] = {"models": {}}
    if path:
        loaded = Study.load(path, smoke)
        replaced: dict[str, Any] = {"tasks": () if tasks else loaded.tasks}
        replaced |= {"calibration": None} if calibration.get("data") else {}
        replaced |= {"recipes": ()} if methods else {}
        _refuse_outside(loaded.model_copy(update=replaced), path)
        asked = loaded.model_dump()
    _name_models(asked["models"], models, _given(every_model))
    asked["recipes"] = _recipes(asked.get("recipes", ()), methods, levels)
    if tasks:
        asked["tasks"] = names(tasks)
    if not asked.get("tasks"):
        raise RequestError("no task is given: name one with --task (`resect tasks` lists them).")
    if text := _given(calibration):
        asked["calibration"] = {**(asked.get("calibration") or {}), **text}
    asked.update(fields)
    asked.setdefault("name", _name(asked))
    return Study.of(**asked)


def _refuse_outside(study: Study, path: Path) -> None:
    """Raise `RequestError` where a study file names a file of texts that lies somewhere else.

    A study that others wrote could put such a file into a report. Files in the folder of the study
    and below the working folder are its own; what the command line names is not asked here.
    """
    roots = (path.resolve().parent, Path.cwd())
    for name in _files(study):
        try:
            place = Path(name).expanduser()
            outside = place.is_file() and not any(
                place.resolve().is_relative_to(root) for root in roots
            )
        except (OSError, RuntimeError, ValueError):  # no name of a file
            continue
        if outside:
            raise RequestError(
                f"the study file {path} names {name}, which is neither in its folder nor below the "
                "working folder: if it may be read, name it on the command line (--task, "
                "--calibration or --method)."
            )


def _files(study: Study) -> Iterator[str]:
    """Whatever in a study may name a file of texts: its tasks, calibration and steps."""
    for name in study.tasks:
        yield name.removesuffix(":cot").removeprefix("own:")
    texts = [study.calibration.data] if study.calibration else []
    steps = (step for recipe in study.recipes for step in recipe.steps)
    texts += [str(value) for step in steps for value in step.options.values()]
    for text in texts:
        yield from text.split("|")


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def names(given: Sequence[str] | None) -> list[str]:
    """Names from options that were repeated, or joined by commas."""
    return [name for part in given or () for name in part.split(",")]


def _name_models(
    asked: dict[str, Any], models: Mapping[str, str | None], every_model: Mapping[str, Any]
) -> None:
    """Add the models given to those of the study, and the options that hold for all of them."""
    for role, name in _given(models).items():
        asked.setdefault(role, {})["id"] = name
    if not asked:
        raise RequestError("no model is given: name a study file, or --specialist and --base.")
    for ref in asked.values():
        ref.update(every_model)


def model(name: str, revision: str | None, dtype: str, trust_remote_code: bool) -> ModelRef:
    """One model from its options."""
    return ModelRef.of(
        role="model", id=name, revision=revision, dtype=dtype, trust_remote_code=trust_remote_code
    )


def evaluation(
    name: str,
    tasks: Sequence[str],
    dtype: str,
    trust_remote_code: bool,
    fields: Mapping[str, Any],
    served: str | None = None,
) -> Study:
    """A study of one model without recipes; `fields` are the study fields given.

    `name` is a model's, or the address of a server that serves it as `served`.
    """
    ref = {"id": name, "dtype": dtype, "trust_remote_code": trust_remote_code}
    ref |= {"served": served} if served else {}
    asked = {"models": {"model": ref}, "recipes": []}
    return Study.of(name=f"eval-{_name(asked)}", **asked, tasks=names(tasks), **fields)


def choice(
    name: str,
    base: str | None,
    tasks: Sequence[str],
    dtype: str,
    trust_remote_code: bool,
    fields: Mapping[str, Any],
    calibration: Mapping[str, Any],
    runtime: Mapping[str, Any],
) -> Study:
    """The study of a choice, without its recipes; `base` is asked intact beside the model."""
    how = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    models = {"specialist" if base else "model": {"id": name, **how}}
    models |= {"base": {"id": base, **how}} if base else {}
    asked: dict[str, Any] = {"models": models, "recipes": []}
    if text := _given(calibration):
        asked["calibration"] = text
    return Study.of(
        name=f"choose-{_name(asked)}",
        **asked,
        tasks=names(tasks),
        runtime=_given(runtime),
        **fields,
    )


def recipes(methods: Sequence[str]) -> list[Recipe]:
    """The recipes of --method, each a version: every step has its level."""
    listed = [Recipe.of(steps=part) for text in methods for part in at_methods(text, ",")]
    free = next((recipe.name for recipe in listed if recipe.free), None)
    if free is not None:
        raise RequestError(f"{free} has no level: write one, like neurons:0.2 or gguf:Q4_K_M.")
    return listed


def _recipes(
    listed: Sequence[Mapping[str, Any]], methods: Sequence[str] | None, levels: str | None
) -> list[Recipe]:
    """The recipes of the file, or of `methods`; `levels` apply to those that can be swept."""
    recipes = [Recipe.of(**fields) for fields in listed]
    if methods is not None or not recipes:
        usual = next((t.levels for t in recipes if t.levels and not t.in_bits), _DEFAULT_LEVELS)
        recipes = _of_methods(methods or ["magnitude"], usual)
    return recipes if levels is None else _at_levels(recipes, levels)


def _of_methods(methods: Sequence[str], usual: tuple[float, ...] | str) -> list[Recipe]:
    """A recipe of each method; one that can be swept takes the `usual` levels, or GGUF's types."""
    texts = [part for text in methods for part in at_methods(text, ",")]
    named = [Recipe.of(steps=text) for text in texts]
    return [
        Recipe.of(steps=t.steps, levels=GGUF_SWEEP if t.in_bits else usual) if t.free else t
        for t in named
    ]


def _at_levels(recipes: list[Recipe], levels: str) -> list[Recipe]:
    """The recipes, those that can be swept in the unit of `levels` at these."""
    if not any(t.free for t in recipes):
        raise RequestError(
            f"levels are given, but {recipes[0].name!r} has no step that can be swept."
        )
    dose = read_levels(levels)
    bits = dose[-1] >= 1
    if not any(t.free and t.in_bits is bits for t in recipes):
        raise RequestError(f"the levels {levels} fit none of the methods: gguf takes types.")
    return [
        t.model_copy(update={"levels": dose}) if t.free and t.in_bits is bits else t
        for t in recipes
    ]


def _name(asked: Mapping[str, Any]) -> str:
    """A name for a study without one, made of its models and methods."""
    ids = [ref.get("served") or ref["id"] for ref in asked["models"].values()]
    models = [name.rstrip("/").rsplit("/", 1)[-1] for name in ids]
    steps = [step.method for t in asked["recipes"] for step in t.steps]
    return re.sub(r"[^\w.+-]+", "-", "-".join([*models, *dict.fromkeys(steps)])).strip("-.")[:90]
