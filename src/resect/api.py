"""The functions that `import resect` offers: run a study, compress a model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from resect.running import choose as choosing
from resect.running import ladder, request
from resect.running.choose import Choice
from resect.running.compression import Asked, compressed
from resect.running.study_run import Watch, place_of, run, unwatched
from resect.spec import Calibration, Dtype, ModelRef, Recipe


def compress(
    model: str,
    *steps: str,
    device: str = "auto",
    dtype: Dtype = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    calibration: Calibration | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
) -> PreTrainedModel:
    """A plain transformers model after `steps`, like `compress("path", "magnitude:0.5")`.

    Raises `RequestError` for a model or step that cannot be used.
    """
    recipe = Recipe.of(steps=" + ".join(map(str, steps)))
    ref = ModelRef.of(
        role="model",
        id=model,
        revision=revision,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    place = Path(data_dir) if data_dir else None
    asked = Asked.of(ref, recipe, calibration, device, place)
    found, _ = compressed(asked, seed, device, place, warnings.warn)
    return found.model


def choose(
    model: str,
    task: Sequence[str],
    out: str | Path,
    *,
    budget: int | str | None = None,
    base: str | None = None,
    runtime: str = "llama.cpp",
    methods: Sequence[str] | None = None,
    tune_on: str | None = None,
    dtype: str = "auto",
    trust_remote_code: bool = False,
    anyway: bool = False,
    calibration: Mapping[str, Any] | None = None,
    runtime_options: Mapping[str, Any] | None = None,
    watch: Watch = unwatched,
    notice: Callable[[str], None] = warnings.warn,
    **fields: Any,
) -> Choice:
    """The smallest version of a model that passes `task`, as a file in `out`.

    `budget` in bytes, or like `8GB`; `fields` are those of `Study` (margin, limit, data_dir, ...).
    Raises `RequestError` where nothing can be chosen.
    """
    study = request.choice(
        model, base, task, dtype, trust_remote_code, fields, calibration or {},
        runtime_options or {},
    )  # fmt: skip
    return choosing.choose(
        study,
        Path(out),
        runtime=runtime,
        budget=ladder.bytes_from(budget) if isinstance(budget, str) else budget,
        recipes=request.recipes(methods) if methods else None,
        tune=None if tune_on is None else f"lora,data={tune_on}",
        watch=watch,
        notice=notice,
        trust_remote_code=trust_remote_code,
        anyway=anyway,
    )


__all__ = ["Choice", "Watch", "choose", "compress", "place_of", "run"]
