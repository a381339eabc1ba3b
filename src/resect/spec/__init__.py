"""The request: a study of models, recipes, levels and tasks. Frozen, validated, hashed.

`Study.load` and `Study.dump` read and write study YAML. Imports only `errors` and `record`.
"""

from __future__ import annotations

from resect.spec.identity import CellSpec, StateSpec
from resect.spec.method_table import BITS, METHODS, Entry, entry_of, every_method
from resect.spec.steps import (
    BASELINE,
    GGUF_SWEEP,
    INTACT,
    Recipe,
    Scalar,
    Step,
    level,
    levels,
    written,
)
from resect.spec.study import Calibration, Dtype, KvType, Measure, ModelRef, Runtime, Study

__all__ = [
    "BASELINE", "BITS", "GGUF_SWEEP", "INTACT", "METHODS", "Calibration", "CellSpec", "Dtype",
    "Entry", "KvType", "Measure", "ModelRef", "Recipe", "Runtime", "Scalar", "StateSpec", "Step",
    "Study", "entry_of", "every_method", "level", "levels", "written",
]  # fmt: skip
