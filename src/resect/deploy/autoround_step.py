"""`autoround`: weights in 4 bits as vLLM loads them, rounded by auto-round. Nothing can follow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedModel

from resect import anatomy
from resect.anatomy import Matrix, stored
from resect.deploy import autoround_worker as worker
from resect.deploy import require
from resect.deploy.deployed import keep_folder
from resect.errors import RequestError, RunError
from resect.methods.masks import zeros
from resect.methods.options import Count, Seed
from resect.methods.step import Applied, Context, Method
from resect.models import checkpoint_files, compute_dtype, devices
from resect.models.library_patches import patch_after_load
from resect.models.scratch import Scratch
from resect.record import StepReport

BITS = (4, 8)
GROUPS = (128, 64, 32)
"""How many neighbours of a row can share a scale where vLLM serves them, the largest first."""


class AutoRound(Method):
    """W4A16 (arXiv:2309.05516): symmetric integers with a scale a group, inputs in 16 bits.

    `group` is the most neighbours of a row that share a scale: the largest of `GROUPS` up to it
    that divides all rows is taken. `iters` steps of signed gradients tune the rounding of each
    block on the study's calibration text; 0 rounds to the nearest. The model that is asked is
    loaded from the folder that is written.
    """

    name = "autoround"
    rebuilds = True
    terminal = True
    is_file = True
    random = True
    calibrated = True
    library = "auto-round"

    def __init__(self, bits: int = 4, group: int = 128, iters: Count = 200, seed: Seed = 0) -> None:
        require("auto_round", "compressed_tensors", what="autoround needs")
        if bits not in BITS:
            raise RequestError(f"autoround cannot take bits={bits}: give 4 or 8.")
        if group not in GROUPS:
            raise RequestError(f"autoround cannot take group={group}: give 32, 64 or 128.")
        self.bits, self.group, self.iters, self.seed = bits, group, iters, seed

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """Rows must divide into groups, and experts be matrices of their own."""
        super().fits(model, levels)
        if any(getattr(m.owner, m.parameter).ndim > 2 for m in anatomy.read(model).matrices):
            raise RequestError(
                "autoround cannot quantize experts that share one tensor: use gguf:Q4_K_M."
            )
        if not self.group_of(model):
            raise RequestError(_uneven(model))

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Take the calibration text."""
        if context.text is None:
            raise RequestError("autoround needs a calibration text: give --calibration.")
        self.context_, self.ids_ = context, context.text.ids

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Quantize in a process of its own, and load what it wrote."""
        group = self.group_of(model)
        if not group:  # it was cut after it was checked
            raise RunError(f"{_uneven(model)} Cut with multiple_of={GROUPS[-1]}, or other parts.")
        if group < self.group:
            self.context_.notice(f"autoround: groups of {group}, the largest that divide all rows.")
        folder = Scratch("autoround")
        place = self._written(model, group, folder.path)
        try:
            packed: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                place, dtype="auto", device_map=devices.map_of(devices.of(model))
            )
        except (ImportError, RuntimeError, ValueError) as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise RunError(f"transformers cannot load what auto-round wrote: {reason}") from None
        packed.name_or_path = packed.config.name_or_path = model.name_or_path
        keep_folder(packed, folder, place)
        return Applied(patch_after_load(packed), self._report(model, packed, place, group))

    def _written(self, model: PreTrainedModel, group: int, folder: Path) -> Path:
        """The folder that auto-round writes; raises `RunError` where it fails."""
        tokenizer = self.context_.tokenizer
        assert tokenizer is not None, "auto-round wants the tokenizer beside the model"
        model.save_pretrained(folder / worker.PLAIN)
        tokenizer.save_pretrained(folder / worker.PLAIN)
        save_file({worker.IDS: self.ids_.int().contiguous()}, folder / worker.TEXT)
        asked = {
            "bits": self.bits,
            "group": group,
            "iters": self.iters,
            "seed": self.seed,
            "dtype": str(_half(model)).removeprefix("torch."),
            "device": devices.kind(devices.of(model)),
        }
        (folder / worker.ASKED).write_text(json.dumps(asked), encoding="utf-8")
        threads = str(torch.get_num_threads())
        quiet = {"AR_LOG_LEVEL": "ERROR", "AR_WORK_SPACE": str(folder / "work")}
        quiet |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": threads}
        process = subprocess.run(
            [sys.executable, "-m", worker.__name__, str(folder)],
            capture_output=True, text=True, env={**os.environ, **quiet}, check=False,
        )  # fmt: skip
        configs = sorted((folder / worker.PACKED).rglob("config.json"))
        if process.returncode or not configs:
            last = (process.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise RunError(f"auto-round cannot quantize this model: {last}")
        return configs[0].parent

    def group_of(self, model: PreTrainedModel) -> int:
        """The largest group up to the one asked that divides every row; 0 where none does."""
        rows = {_row(matrix) for matrix in anatomy.read(model).matrices}
        fitting = (size for size in GROUPS if size <= self.group)
        return next((size for size in fitting if not any(row % size for row in rows)), 0)

    def _report(
        self, model: PreTrainedModel, packed: PreTrainedModel, place: Path, group: int
    ) -> StepReport:
        """Bits per targeted weight as they lie in the files, scales included."""
        matrices = anatomy.read(model).matrices
        targeted = sum(matrix.weight().numel() for matrix in matrices)
        owners = {matrix.module for matrix in matrices}
        entries = checkpoint_files.read(place).entries
        size = sum(
            entry.size
            for name, entry in entries.items()
            if name.rpartition(".")[0] in owners and not name.endswith(".bias")
        )
        plain = [m.name for m in matrices if f"{m.module}.{m.parameter}" in entries]
        values = (stored.values(packed, matrix) for matrix in matrices)  # one at a time
        gone = sum(zeros(value) for value in values if value is not None)
        scope = f"{len(matrices) - len(plain)} of {len(matrices)} matrices in {self.bits} bits, "
        scope += f"groups of {group}"
        note = f"not quantized: {', '.join(plain[:3])}" + " and others" * (len(plain) > 3)
        return StepReport(
            step=self.name,
            asked=float(self.bits),
            measured=8 * size / targeted,
            targeted=targeted,
            gone=gone,
            scope=scope,
            notes=(note,) if plain else (),
            physical=True,
        )


def planned(model: PreTrainedModel, step: AutoRound) -> int | None:
    """Bytes of the tensors that `step` writes, from shapes; None where it cannot be applied."""
    try:
        step.fits(model, [])
    except RequestError:
        return None
    weights = sum(matrix.weight().numel() for matrix in anatomy.read(model).matrices)
    rest = sum(p.numel() for p in model.parameters()) - weights
    return 2 * rest + weights * step.bits // 8 + 2 * weights // step.group_of(model)


def _half(model: PreTrainedModel) -> torch.dtype:
    """The type of what is not packed: the file's where it has 16 bits."""
    dtype = compute_dtype.in_file(model)
    return torch.bfloat16 if dtype.itemsize > 2 else dtype


def _row(matrix: Matrix) -> int:
    return int(matrix.weight().shape[-1])


def _uneven(model: PreTrainedModel) -> str:
    """The sentence on rows that no group divides."""
    matrix = next(m for m in anatomy.read(model).matrices if _row(m) % GROUPS[-1])
    return (
        f"autoround needs rows that are a multiple of {GROUPS[-1]}, and those of {matrix.name} "
        f"have {_row(matrix)}: use gguf:Q4_K_M."
    )
