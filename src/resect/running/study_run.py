"""Run a study into its folder: resolve, run what is not stored, write summary, page and card."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from resect import scratch
from resect.record import Provenance
from resect.running import driver, folder
from resect.running.destination import destination
from resect.running.resolve import Resolved
from resect.running.walk import Event, Notice, Sweep
from resect.spec import Study

Watch = Callable[[list[Sweep], Iterator[Event]], Iterator[Event]]


def _unwatched(planned: list[Sweep], events: Iterator[Event]) -> Iterator[Event]:
    return events


def place_of(study: Study, out: str | Path | None) -> Path:
    """The folder of a study's run: the one given, else `runs/` and the study's name."""
    return Path(out or Path("runs") / study.name)


def run(
    study: Study,
    out: str | Path | None = None,
    engine: str = "local",
    watch: Watch = _unwatched,
    notice: Notice = warnings.warn,
    workers: int | None = None,
    address: str | None = None,
    trust_remote_code: bool = False,
    check: Callable[[Resolved], None] | None = None,
) -> folder.Run:
    """Run what is not stored yet, then write summary, page and card.

    `trust_remote_code` allows the code that models and tasks of the study bring, where it asks for
    that; `check` may refuse the study once all its names are found. Raises `RequestError` before
    anything is written where the study cannot be run.
    """
    place = destination(place_of(study, out))
    resolved = driver.resolve(study, trust_remote_code)
    if check is not None:
        check(resolved)
    running = driver.engine_of(engine, notice, workers, address)
    found = folder.Run.create(place)
    provenance = _provenance(resolved.device)
    with found.writing(notice) as store, scratch.under(found.path):
        folder.write(found.path / "study.yaml", study.dump(_resolved(resolved, provenance)))
        facts = {"study": _declared(resolved.study), "provenance": asdict(provenance)}
        driver.drive(resolved, store, running, watch, facts)
    found.report()
    return found


def _declared(study: Study) -> dict[str, Any]:
    """The study as summary.json shows it."""
    return {
        "name": study.name,
        "models": {
            role: {"id": ref.id, "revision": ref.revision, "dtype": ref.dtype}
            for role, ref in study.models.items()
        },
        "recipes": [
            {"name": t.name, "levels": list(t.levels), "roles": list(t.roles), "seed": t.seed}
            for t in study.recipes
        ],
        "tasks": list(study.tasks),
        "limit": study.limit,
        "variants": list(study.variants),
        "seed": study.seed,
        "resamples": study.resamples,
        "margin": study.margin,
        "alpha": study.alpha,
        "retain": study.retain,
        "shown_only": list(study.shown_only),
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
