"""Compress a model directory into another one that plain `from_pretrained` loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import torch
from transformers import PreTrainedModel

from resect import methods
from resect.deploy.deployed import deployed, folder_of
from resect.errors import RequestError
from resect.methods import stream
from resect.methods.calibration.calibration_text import filled
from resect.methods.step import Context, Method
from resect.methods.validation import check, fits
from resect.methods.weights.scored import Scored
from resect.models import adapters, compute_dtype, devices, loading, scratch, weight_digest
from resect.models import checkpoint_files as checkpoint
from resect.models.loading import Loaded
from resect.record import StepReport
from resect.report.formatting import percent
from resect.running.resolve import is_wide
from resect.running.standing import apply_all
from resect.spec import Calibration, ModelRef, Recipe

Notice = Callable[[str], None]


def compress_to(
    ref: ModelRef,
    recipe: Recipe,
    out: Path,
    *,
    calibration: Calibration | None = None,
    seed: int = 0,
    device: str = "auto",
    data_dir: Path | None = None,
    notice: Notice = lambda _: None,
) -> dict[str, Any]:
    """Apply `recipe` to `ref`, write the result to `out` completely or not at all, and describe it.

    A single step that needs no activations is streamed tensor by tensor, so the model need not
    fit into memory. Raises `RequestError` before anything is written, and `RunError` if the
    written model would not load.
    """
    asked = Asked.of(ref, recipe, calibration, device, data_dir)
    if asked.calibration is not None and not (calibration and calibration.data):
        notice(f"Calibration text: {asked.calibration.data} (choose another with --calibration).")
    calibration = asked.calibration
    if not asked.parts:
        raise RequestError("no step is given: name one with --step, like magnitude:0.5.")
    place = Path(loading.where(ref))
    recipe, method = asked.recipe, methods.make(recipe.steps[0], seed)
    with scratch.whole_folder(out) as folder:
        if len(asked.parts) == 1 and _streams(method) and place.is_dir():
            reports: tuple[StepReport, ...] = (_stream(asked, method, folder, notice),)
        else:
            loaded, reports = compressed(asked, seed, device, data_dir, notice)
            _save(loaded, folder)
        done = {
            "resect": version("resect"),
            "source": {"id": ref.id, "revision": ref.revision, "bytes_on_disk": _bytes(place)},
            "bytes_on_disk": _bytes(folder),
            "weights": weight_digest.of_files(folder),
            "recipe": recipe.name,
            "seed": seed,
            "calibration": None if calibration is None else calibration.model_dump(),
            "steps": [asdict(report) for report in reports],
        }
        _provenance(folder, done)
        if not list(folder.glob("*.gguf")):
            loading.refuse_unloadable(folder, ref)
    return done


class Asked(NamedTuple):
    """A recipe checked against a model: its methods, and the model without its weights."""

    ref: ModelRef
    recipe: Recipe
    calibration: Calibration | None
    parts: list[Method]
    empty: PreTrainedModel

    @classmethod
    def of(
        cls,
        ref: ModelRef,
        recipe: Recipe,
        calibration: Calibration | None,
        device: str = "auto",
        data_dir: Path | None = None,
    ) -> Asked:
        """Raises `RequestError` for a model or a recipe that cannot be had.

        Where a step needs text and none is named, it is the default one.
        """
        needed = any(methods.make(step).calibrated for step in recipe.steps)
        calibration = filled(calibration, ref, (), data_dir) if needed else None
        parts = check(recipe, calibration)
        empty = loading.check(ref, devices.named(device)).model
        if methods.needs_blocks(recipe) and is_wide(empty):
            recipe = methods.in_blocks(recipe)
            parts = check(recipe, calibration)
        fits(parts, recipe, empty)
        return cls(ref, recipe, calibration, parts, empty)


def compressed(
    asked: Asked, seed: int, device: str, data_dir: Path | None, notice: Notice
) -> tuple[Loaded, tuple[StepReport, ...]]:
    """The model after its recipe, in memory, with its tokenizer and a report for each step."""
    whole = loading.load(asked.ref, devices.fitting(devices.named(device), asked.empty), notice)
    text = asked.calibration if any(part.calibrated for part in asked.parts) else None
    context = Context.of(whole, asked.ref, text, notice, data_dir)
    with loading.threads(whole.model):
        model, reports = apply_all(whole.model, asked.recipe.steps, seed, context)
    compute_dtype.narrow_(model)
    return Loaded(model, whole.tokenizer), reports


def _save(loaded: Loaded, folder: Path) -> None:
    """Write a model: its file or folder where it was made as one."""
    file, made = deployed(loaded.model), folder_of(loaded.model)
    if file is not None:
        shutil.copyfile(file.path, folder / file.path.name)
        return
    if made is None:
        adapters.save(loaded.model, folder)
    else:
        shutil.copytree(made, folder, dirs_exist_ok=True)
    loaded.tokenizer.save_pretrained(folder)


def _streams(method: Method) -> TypeGuard[Scored]:
    return isinstance(method, Scored) and not method.calibrated


@torch.no_grad()
def _stream(asked: Asked, method: Scored, folder: Path, notice: Notice) -> StepReport:
    """Write the checkpoint into `folder`, pruned tensor by tensor."""
    ref, level = asked.ref, asked.recipe.steps[0].level
    source = checkpoint.read(Path(loading.where(ref)))
    for note in source.notes:
        notice(f"{ref.name}: {note}")
    source = stream.tied_once(source, asked.empty)
    dtype = None if ref.dtype == "auto" else ref.dtype
    if dtype is not None:
        source = checkpoint.cast(source, getattr(torch, dtype))
    with checkpoint.Writer(source, folder) as writer:
        report = stream.prune(source, asked.empty, method, level, writer)
    checkpoint.copy_rest(source, folder, dtype)
    return report


def _provenance(folder: Path, done: Mapping[str, Any]) -> None:
    (folder / "resect.json").write_text(json.dumps(done, indent=2) + "\n", encoding="utf-8")


def _bytes(folder: Path) -> int | None:
    """Bytes of the weight files; None for a model that is not a directory here."""
    if folder.is_file():
        return folder.stat().st_size
    files = sum(path.stat().st_size for path in folder.glob("*.gguf"))
    return files or checkpoint.bytes_of(folder) or None


def shown(done: Mapping[str, Any]) -> str:
    """What was done, as lines for a terminal: a line a step, and the size before and after.

    Recovery changes no size and does not give one.
    """
    before, after = done["source"].get("bytes_on_disk"), done.get("bytes_on_disk")
    lines = [_step(report) for report in done["steps"]]
    if before and after:
        change = after / before - 1
        change_in_words = f"{percent(abs(change))} {'larger' if change > 0 else 'smaller'}"
        same = abs(change) < 0.0005
        lines.append(
            f"weights on disk: {before:,} bytes before, {after:,} bytes after "
            f"({'the same size' if same else change_in_words})"
        )
    elif after:
        lines.append(f"weights on disk: {after:,} bytes")
    return "\n".join(lines)


def _step(report: Mapping[str, Any]) -> str:
    measured, scope = report["measured"], report["scope"]
    if measured is None:
        text = scope
    elif measured >= 1:
        text = f"{measured:.3f} bits a weight, {scope}"
    elif report["physical"]:
        text = f"{report['gone']:,} of {report['targeted']:,} {report['unit']} removed"
    elif report["unit"] != "weights":
        text = f"{report['gone']:,} of {report['targeted']:,} {report['unit']} zeroed in place"
        text += ", as no config describes the model without them"
    else:
        text = f"{percent(measured, 4)} of {scope} are zero"
    return f"{report['step']}: " + "; ".join([text, *report["notes"]])
