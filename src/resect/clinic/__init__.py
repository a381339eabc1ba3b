"""The embedded default: a tiny specialist and its base, with three tasks. Torch-free to import.

The drugs of the clinic are invented and nothing in it is for medical use (see `world`).
"""

from __future__ import annotations

from pathlib import Path

from resect.errors import unknown

DEMO = Path(__file__).parent / "demo.yaml"
"""The study of `resect demo`."""

_DATA = Path(__file__).parent / "data"
_MODELS = ("specialist", "base")


def path(name: str) -> Path:
    """The folder of the embedded model called `name`, for `from_pretrained`."""
    if name not in _MODELS:
        raise unknown("embedded model", name, _MODELS)
    return _DATA / name


def specialist_path() -> Path:
    """The folder of the embedded specialist, for `from_pretrained`."""
    return _DATA / "specialist"


def base_path() -> Path:
    """The folder of the embedded base, the specialist's parent."""
    return _DATA / "base"
