"""The functions that `import resect` offers: run a study, compress a model."""

from __future__ import annotations

import warnings
from pathlib import Path

from transformers import PreTrainedModel

from resect.running.compression import Asked, compressed
from resect.running.study_run import Watch, place_of, run
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


__all__ = ["Watch", "compress", "place_of", "run"]
