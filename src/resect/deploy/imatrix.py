"""Importance matrices: mean squares of what comes to each weight, in llama.cpp's GGUF format.

They are the second moments that Wanda gathers; here they have llama.cpp's names and its file.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import libgguf
import numpy as np
from transformers import PreTrainedModel

from resect import anatomy
from resect.deploy import families, tensors
from resect.deploy.families import Family
from resect.errors import RequestError, RunError
from resect.methods.calibration.calibration_text import Tokens
from resect.methods.calibration.capture import Moments, blocks_in_turn, squares
from resect.models import gguf_header

Numbers = np.ndarray[Any, np.dtype[Any]]


class Sums(NamedTuple):
    """Of one tensor: summed squares of its inputs (E, I), and tokens of each expert (E, 1)."""

    squares: Numbers
    counts: Numbers

    @property
    def means(self) -> Numbers:
        """Mean squares; one for an expert that no token came to, as llama.cpp reads it."""
        seen = self.counts > 0
        return np.where(seen, self.squares / np.where(seen, self.counts, 1), 1).astype(np.float32)


def gather(model: PreTrainedModel, text: Tokens) -> dict[str, Sums]:
    """Squares of the inputs of every matrix in the decoder blocks, by llama.cpp's names."""
    family = families.of(model.config)
    sites = _sites(model, family)
    sums: dict[str, Sums] = {}
    for turn in blocks_in_turn(model, text, lambda name: True, squares, False):
        moments = turn.gather()
        for name, places in sites.items():
            if any(place in moments for place in places):
                sums[name] = _sums([moments.get(place) for place in places])
    for name, one in sums.items():
        if not np.isfinite(one.squares).all():
            raise RunError(
                f"the activations that come to {name} are not finite: load the model in bfloat16 "
                "or float32, or give other calibration text."
            )
    return sums


def _sites(model: PreTrainedModel, family: Family) -> dict[str, list[str]]:
    """Where the inputs of each tensor are seen: one place, or one an expert."""
    blocks = model.config.get_text_config().num_hidden_layers
    sites: dict[str, list[str]] = {}
    for matrix in anatomy.read(model).matrices:
        for _, key in tensors.parts(f"{matrix.module}.{matrix.parameter}", family):
            name = tensors.name_of(key, family, blocks)
            if name is not None and matrix.site not in sites.setdefault(name, []):
                sites[name].append(matrix.site)
    return sites


def _sums(moments: list[Moments | None]) -> Sums:
    width = next(len(m.total) for m in moments if m is not None)
    rows = [np.zeros(width, np.float32) if m is None else m.total.cpu().numpy() for m in moments]
    counts = [[0 if m is None else m.tokens] for m in moments]
    return Sums(np.stack(rows), np.array(counts, np.float32))


def write(path: Path, sums: Mapping[str, Sums], text: str, tokens: Tokens) -> None:
    """Write llama.cpp's file; `text` names what the model read."""
    logging.getLogger("gguf.gguf_writer").setLevel(logging.ERROR)
    writer = gguf.GGUFWriter(path, "")
    writer.kv_data[0].pop("general.architecture", None)  # llama.cpp's own files have none
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [text])
    writer.add_uint32("imatrix.chunk_count", len(tokens.ids))
    writer.add_uint32("imatrix.chunk_size", tokens.ids.shape[1])
    for name, one in sorted(sums.items()):
        writer.add_tensor(f"{name}.in_sum2", one.squares)
        writer.add_tensor(f"{name}.counts", one.counts)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def read(path: Path) -> dict[str, Numbers]:
    """Mean squares by tensor; raises `RequestError` for a file that is no importance matrix."""
    try:
        with path.open("rb") as file:
            is_gguf = file.read(4) == b"GGUF"
        if is_gguf:
            gguf_header.read(path)
        means: dict[str, Numbers] = libgguf.load_imatrix(path)
    except (OSError, ValueError, KeyError, ArithmeticError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise RequestError(
            f"{path} is no importance matrix that llama.cpp would read ({reason}): make one with "
            "resect imatrix."
        ) from None
    if not means:
        raise RequestError(f"{path} holds no importances: make one with resect imatrix.")
    return means


def fingerprint(path: Path) -> str:
    """A name for a file's content."""
    if not path.is_file():
        raise RequestError(
            f"there is no importance matrix {path}: write imatrix=none, calibration or a file."
        )
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def fitting(means: Mapping[str, Numbers], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `RequestError` where importances are another model's: other names, other widths."""
    inside = {name for name, shape in shapes.items() if name.startswith("blk.") and len(shape) > 1}
    if not inside & set(means):
        raise RequestError("the importance matrix names no tensor of this model: it is another's.")
    for name in inside & set(means):
        *experts, _, width = shapes[name]
        if means[name].size != width * (experts[0] if experts else 1):
            raise RequestError(
                f"the importance matrix has {means[name].size} numbers for {name}, which is "
                f"{shapes[name]}: it is of another model, or of this one before it was cut."
            )
