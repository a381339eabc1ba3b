"""What `import resect` offers: run a study, compress a model. The CLI calls the same."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from resect import folder, sweep
from resect.compression import Asked, compressed
from resect.course import Course, Event, Notice
from resect.destination import destination
from resect.record import Provenance
from resect.spec import Calibration, Dtype, ModelRef, Study, Treatment
from resect.sweep.resolve import Resolved

Watch = Callable[[list[Course], Iterator[Event]], Iterator[Event]]


def _unwatched(planned: list[Course], events: Iterator[Event]) -> Iterator[Event]:
    return events


def run(
    study: Study,
    out: str | Path | None = None,
    engine: str = "local",
    watch: Watch = _unwatched,
    notice: Notice = warnings.warn,
    workers: int | None = None,
    address: str | None = None,
) -> folder.Run:
    """Run what is not stored yet, then write summary, page and card.

    Raises `RequestError` before anything is written where the study cannot be run.
    """
    place = destination(place_of(study, out))
    resolved = sweep.resolve(study)
    running = sweep.engine_of(engine, notice, workers, address)
    found = folder.Run.create(place)
    provenance = _provenance(resolved.device)
    with found.writing(notice) as store:
        folder.write(found.path / "study.yaml", study.dump(_resolved(resolved, provenance)))
        facts = {"study": _declared(resolved.study), "provenance": asdict(provenance)}
        sweep.execute(resolved, store, running, watch, facts)
    found.report()
    return found


def place_of(study: Study, out: str | Path | None) -> Path:
    """The folder of a study's run: the one given, else `runs/` and the study's name."""
    return Path(out or Path("runs") / study.name)


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

    Raises `RequestError` for a model or step that cannot be had.
    """
    treatment = Treatment.of(steps=" + ".join(map(str, steps)))
    ref = ModelRef.of(
        role="model",
        id=model,
        revision=revision,
        dtype=dtype,
        trust_remote_code=trust_remote_code,
    )
    place = Path(data_dir) if data_dir else None
    asked = Asked.of(ref, treatment, calibration)
    found, _ = compressed(asked, seed, device, place, warnings.warn)
    return found.model


def _declared(study: Study) -> dict[str, Any]:
    """The study as summary.json shows it."""
    return {
        "name": study.name,
        "models": {
            role: {"id": ref.id, "revision": ref.revision, "dtype": ref.dtype}
            for role, ref in study.models.items()
        },
        "treatments": [
            {"name": t.name, "levels": list(t.levels), "roles": list(t.roles), "seed": t.seed}
            for t in study.treatments
        ],
        "tasks": list(study.tasks),
        "limit": study.limit,
        "variants": list(study.variants),
        "seed": study.seed,
        "resamples": study.resamples,
        "margin": study.margin,
        "alpha": study.alpha,
    }


def _resolved(resolved: Resolved, provenance: Provenance) -> dict[str, Any]:
    """What names stood for when the study ran, for study.yaml."""
    return {
        "models": {role: found._asdict() for role, found in resolved.identities.items()},
        "items": {task: len(items) for task, items in resolved.items.items()},
        "versions": dict(provenance.packages),
    }


def _provenance(device: str) -> Provenance:
    packages = ("torch", "transformers", "tokenizers", "numpy", "pandas", "scipy")
    return Provenance(
        resect=version("resect"),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: version(name) for name in packages},
        device=device,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
