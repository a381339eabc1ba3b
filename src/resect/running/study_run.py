"""Run a study into its folder: resolve, run what is not stored, write summary, page and card.

The engine runs the sweeps; only the code here writes to the store.
"""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from resect import methods
from resect.deploy import server as serving
from resect.errors import RequestError, RunError, unknown
from resect.findings.rows import Choice
from resect.models import scratch
from resect.record import TRANSFORMERS, Provenance
from resect.running import folder, run_log
from resect.running.analysis import choice_so_far
from resect.running.destination import destination
from resect.running.gate import Gate, Hopeless
from resect.running.local_engine import Local
from resect.running.plan import due, ready, rounds, sweeps
from resect.running.ray_engine import OnRay
from resect.running.resolve import Resolved, resolve
from resect.running.walk import Answered, Event, Finished, Measured, Notice, Sweep
from resect.spec import Recipe, Study
from resect.store.sqlite import Store

ENGINES = ("local", "ray")
Watch = Callable[[list[Sweep], Iterator[Event]], Iterator[Event]]


def unwatched(planned: list[Sweep], events: Iterator[Event]) -> Iterator[Event]:
    """The events as they come."""
    return events


def place_of(study: Study, out: str | Path | None) -> Path:
    """The folder of a study's run: the one given, else `runs/` and the study's name."""
    return Path(out or Path("runs") / study.name)


def run(
    study: Study,
    out: str | Path | None = None,
    engine: str = "local",
    watch: Watch = unwatched,
    notice: Notice = warnings.warn,
    workers: int | None = None,
    address: str | None = None,
    trust_remote_code: bool = False,
    check: Callable[[Resolved], None] | None = None,
    gate: bool = False,
) -> folder.Run:
    """Run what is not stored yet, then write summary, page and card.

    `trust_remote_code` allows the code that models and tasks of the study bring, where it asks for
    that; `check` may refuse the study once all its names are found; `gate` ends it behind the
    intact cells where nothing can be judged. Raises `RequestError` before anything is written where
    the study cannot be run.
    """
    place = destination(place_of(study, out))
    resolved = resolve(study, trust_remote_code)
    running = engine_of(engine, notice, workers, address)
    text = resolved.study.calibration
    if text is not None and (study.calibration is None or not study.calibration.data):
        notice(f"Calibration text: {text.data} (choose another with --calibration).")
    if check is not None:
        check(resolved)
    run_folder = folder.Run.create(place)
    provenance = _provenance(resolved)
    with (
        run_folder.writing(notice) as store,
        run_log.written(run_folder.path),
        scratch.under(run_folder.path),
    ):
        folder.write(run_folder.path / "study.yaml", study.dump(_resolved(resolved, provenance)))
        facts = {"study": _declared(resolved.study), "provenance": asdict(provenance)}
        try:
            drive(resolved, store, running, watch, facts, notice if gate else None)
        except Hopeless as error:
            hopeless: Hopeless | None = error
        else:
            hopeless = None
        if resolved.study.asks_in_looks and hopeless is None:
            asked, whole = store.questions()
            notice(f"{asked:,} of {whole:,} questions of damaged models were asked.")
    page = run_folder.report()
    if hopeless is not None:
        raise RunError(f"{hopeless} The intact answers are in {page}.")
    return run_folder


class Engine(Protocol):
    """Takes sweeps and says what happens; where they run is its business."""

    def submit(self, sweeps: list[Sweep]) -> None:
        """Take sweeps to run."""
        ...

    def events(self) -> Iterator[Event]:
        """Events of all sweeps, each sweep's in its order."""
        ...


def engine_of(
    name: str, notice: Notice, workers: int | None = None, address: str | None = None
) -> Engine:
    """The engine called `name`; `workers` None lets it decide how many processes it uses.

    `address` is the Ray cluster to join, None starts one here.
    """
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    if workers is not None and workers < 1:
        raise RequestError(f"--workers is {workers}: give at least 1.")
    return OnRay(notice, workers, address) if name == "ray" else Local(notice, workers)


def drive(
    resolved: Resolved,
    store: Store,
    engine: Engine,
    watch: Watch,
    facts: dict[str, Any],
    gate: Notice | None = None,
) -> None:
    """Run what the store lacks; every event is stored as it comes.

    `watch` is handed the sweeps to run and the events, and passes the events on. With `gate`, which
    takes its sentences, raises `Hopeless` where the intact cells leave nothing to be judged.
    """
    planned = sweeps(resolved)
    store.put_study(
        _models(resolved),
        resolved.infos,
        resolved.items,
        [cell.result(sweep, "success", None, None) for sweep in planned for cell in sweep.cells],
        {"warnings": resolved.warnings(), **facts},
    )
    guard = Gate(resolved, store, due(planned, store), gate) if gate else None

    def ask(round_: list[Sweep], tried: int = 0) -> None:
        left = [ready(sweep, resolved, store, tried) for sweep in round_]
        engine.submit(left)
        for event in watch(left, engine.events()):
            _keep(event, store)
            if guard is not None:
                guard.see(event)

    first, *others = rounds(planned)
    ask(due(first, store))
    if resolved.study.choose:
        _until_passed([sweep for round_ in others for sweep in round_], store, ask)
        return
    for round_ in others:
        ask(due(round_, store))


def _until_passed(
    versions: Sequence[Sweep], store: Store, ask: Callable[[list[Sweep], int], None]
) -> None:
    """Ask the versions of each model, the smallest first, until one has passed.

    `ask` takes sweeps, and the number of versions that were tested before them.
    """
    chosen: dict[str, Choice | None] = {}
    for sweep in versions:
        if sweep.model not in chosen:
            chosen[sweep.model] = _choice(store, sweep.model)
        row, left = chosen[sweep.model], due([sweep], store)
        if row is not None and row.chosen:
            _skip(sweep, store)
        elif left:
            ask(left, 0 if row is None else len(row.tried))
            chosen[sweep.model] = _choice(store, sweep.model)


def _skip(sweep: Sweep, store: Store) -> None:
    """Store that a version was not asked, since a smaller one passed."""
    for cell in sweep.cells:
        if not store.finished(cell.spec.id):
            reason = "not needed: a smaller version passed"
            store.put_cell(cell.result(sweep, "skipped", reason, None, ()))


def _choice(store: Store, model: str) -> Choice | None:
    """What has been chosen of a model so far, None before any of its versions was asked."""
    return next((row for row in choice_so_far(store) if row.model == model), None)


def _keep(event: Event, store: Store) -> None:
    """Store one event."""
    if isinstance(event, Answered):
        store.put_answers(event.answers)
    elif isinstance(event, Measured):
        store.put_measurement(event.measurement)
    elif isinstance(event, Finished):
        store.put_cell(event.result)


def _models(resolved: Resolved) -> list[dict[str, Any]]:
    return [
        {
            "name": resolved.names[role],
            "role": role,
            "id": ref.id,
            **resolved.identities[role]._asdict(),
        }
        for role, ref in resolved.study.models.items()
    ]


def _declared(study: Study) -> dict[str, Any]:
    """The study as summary.json shows it."""
    return {
        "name": study.name,
        "models": {
            role: {"id": ref.id, "revision": ref.revision, "dtype": ref.dtype}
            for role, ref in study.models.items()
        },
        "recipes": [
            {
                "name": t.name,
                "levels": list(t.levels),
                "roles": list(t.roles),
                "seed": t.seed,
                "control": _control(t, study),
            }
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
        "sequential": study.sequential,
        "choose": study.choose,
        "calibration": None if study.calibration is None else study.calibration.model_dump(),
        "data_dir": study.data_dir,
    }


def _control(recipe: Recipe, study: Study) -> str | None:
    """The recipe of the study that cuts the same at random, if it has one."""
    random = methods.control(recipe.steps[0]) if len(recipe.steps) == 1 else None
    if random is None:
        return None
    name = str(methods.for_sweep(random))
    return name if any(other.name == name for other in study.recipes) else None


def _resolved(resolved: Resolved, provenance: Provenance) -> dict[str, Any]:
    """What names stood for when the study ran, for study.yaml."""
    return {
        "models": {role: identity._asdict() for role, identity in resolved.identities.items()},
        "items": {task: len(items) for task, items in resolved.items.items()},
        "versions": dict(provenance.packages),
    }


def _provenance(resolved: Resolved) -> Provenance:
    packages = ("torch", "transformers", "tokenizers", "numpy", "pandas", "scipy")
    return Provenance(
        resect=version("resect"),
        python=platform.python_version(),
        platform=platform.platform(),
        packages={name: version(name) for name in packages},
        device=resolved.device,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        runtimes=_runtimes(resolved),
    )


def _runtimes(resolved: Resolved) -> dict[str, dict[str, Any]]:
    """The servers that are asked: what they are, their version, and their flags."""
    started = {recipe.runtime for recipe in resolved.study.recipes} - {TRANSFORMERS}
    how = resolved.study.runtime.model_dump()
    servers: dict[str, dict[str, Any]] = {}
    for name in sorted(started):
        library, build = serving.runtime()
        servers[name] = {"server": library, "version": build, "slots": serving.SLOTS, **how}
    for role, facts in resolved.served.items():
        servers[resolved.names[role]] = dict(facts)
    return servers
