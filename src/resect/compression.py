"""A model directory to a compressed model directory that plain `from_pretrained` loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from resect import checkpoint, devices, methods, models
from resect.course import apply_all
from resect.errors import RequestError
from resect.methods import stream
from resect.methods.base import Context
from resect.methods.calibrated import Calibrated
from resect.methods.scored import Scored
from resect.record import StepReport
from resect.spec import Calibration, ModelRef, Treatment
from resect.sweep.resolve import check

Notice = Callable[[str], None]


def compress_to(
    ref: ModelRef,
    treatment: Treatment,
    out: Path,
    *,
    calibration: Calibration | None = None,
    seed: int = 0,
    device: str = "auto",
    data_dir: Path | None = None,
    notice: Notice = lambda _: None,
) -> dict[str, Any]:
    """Write `ref` after `treatment` to `out`, whole or not at all; what was done, as a dict.

    A single step that needs no activations is streamed, tensor by tensor, so that the model need
    not fit into memory. Raises `RequestError` before anything is written.
    """
    parts = check(treatment, calibration)
    if not parts:
        raise RequestError("no step is given: name one with --step, like magnitude:0.5.")
    device = devices.named(device)
    loaded = models.check(ref)
    for number, part in enumerate(parts):
        part.fits(loaded.model, treatment.doses(number))
    place = Path(models.where(ref))
    method = methods.make(treatment.steps[0], seed)
    streams = isinstance(method, Scored) and not isinstance(method, Calibrated)
    with checkpoint.whole_folder(out) as folder:
        if len(parts) == 1 and streams and place.exists():
            source = checkpoint.read(place)
            for note in source.notes:
                notice(f"{ref.name}: {note}")
            with torch.no_grad(), checkpoint.Writer(source, folder) as writer:
                level = treatment.steps[0].level
                report = stream.prune(source, loaded.model, method, level, writer)  # type: ignore[arg-type]
            checkpoint.copy_rest(source, folder)
            reports: tuple[StepReport, ...] = (report,)
        else:
            whole = models.load(ref, devices.fitting(device, loaded.model), notice)
            asked = calibration if any(part.calibrated for part in parts) else None
            context = Context.of(whole, ref, asked, notice, data_dir)
            with models.threads(whole.model):
                model, reports = apply_all(whole.model, treatment.steps, seed, context)
            model.save_pretrained(folder)
            whole.tokenizer.save_pretrained(folder)
        done = {
            "resect": version("resect"),
            "source": {"id": ref.id, "revision": ref.revision, "bytes_on_disk": _bytes(place)},
            "bytes_on_disk": _bytes(folder),
            "treatment": treatment.name,
            "seed": seed,
            "calibration": None if calibration is None else calibration.model_dump(),
            "steps": [asdict(report) for report in reports],
        }
        _provenance(folder, done)
    return done


def _provenance(folder: Path, done: Mapping[str, Any]) -> None:
    (folder / "resect.json").write_text(json.dumps(done, indent=2) + "\n", encoding="utf-8")


def _bytes(folder: Path) -> int | None:
    """Bytes of the weight files; None for a model that is not a directory here."""
    return sum(path.stat().st_size for path in checkpoint.weight_files(folder)) or None


def shown(done: Mapping[str, Any]) -> str:
    """What was done, as lines for a terminal: a line a step, and how much smaller the file is.

    Tuning back makes no file smaller and does not say its bytes.
    """
    before, after = done["source"].get("bytes_on_disk"), done.get("bytes_on_disk")
    lines = [_step(report) for report in done["steps"]]
    if before and after < 0.999 * before:
        lines.append(f"the weights on disk are {1 - after / before:.1%} smaller: {after:,} bytes")
    return "\n".join(lines)


def _step(report: Mapping[str, Any]) -> str:
    measured, scope = report["measured"], report["scope"]
    if measured is None:
        said = scope
    elif measured >= 1:
        said = f"{measured:.3f} bits a weight, {scope}"
    elif report["physical"]:
        said = f"{report['gone']:,} of {report['targeted']:,} {report['unit']} cut out"
    elif report["unit"] != "weights":
        said = f"{report['gone']:,} of {report['targeted']:,} {report['unit']} zeroed in place"
        said += ", as no config describes the model without them"
    else:
        said = f"{measured:.4%} of {scope} are zero"
    return f"{report['step']}: " + "; ".join([said, *report["notes"]])
