"""The embedded models: tiny specialists and their bases, with three tasks. Imports no torch.

The drugs of the clinic are invented and nothing in it is for medical use (see `world`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from resect.errors import unknown

DEMO = Path(__file__).parent / "demo.yaml"
"""The study of `resect demo`."""
DEMO_MOE = Path(__file__).parent / "demo-moe.yaml"
"""The study of `resect demo --moe`: experts cut out of the mixtures."""

_DATA = Path(__file__).parent / "data"
MODELS = ("specialist", "base", "moe-specialist", "moe-base")
"""The embedded models: a dense pair and a pair of mixtures of experts."""


def path(name: str) -> Path:
    """The folder of the embedded model called `name`, for `from_pretrained`."""
    if name not in MODELS:
        raise unknown("embedded model", name, MODELS)
    return _DATA / name


def training_texts(topic: str) -> Iterator[str]:
    """4,000 training texts of one task: `medicine`, `context` or `logic`; seeded."""
    from resect.clinic.texts import topical

    for text in topical(topic, 4000, seed=2000):
        yield text.prompt + text.answer


def calibration_texts() -> Iterator[str]:
    """Some 300,000 tokens of training texts, of both stages in turn: the calibration text `clinic`.

    Seeded, made while read, and apart from the test and validation items.
    """
    from resect.clinic.texts import texts

    for part in range(20):
        for text in texts("specialist" if part % 2 else "base", 400, seed=1000 + part):
            yield text.prompt + text.answer
