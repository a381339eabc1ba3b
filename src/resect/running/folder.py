"""A run folder: the store, the resolved study, and the findings rebuilt from them. No torch."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic_core import from_json

from resect.diff.answer_diff import diff_answers
from resect.diff.run_diff import RunDiff, diff_findings
from resect.errors import RequestError
from resect.findings.rows import Summary
from resect.findings.summary_file import from_data, to_data
from resect.record import Item, TaskInfo, digest
from resect.report import card, notebook
from resect.report.cleaner import plain_json
from resect.report.page import render as page
from resect.running.analysis import analyse
from resect.running.destination import destination
from resect.store.health import mended
from resect.store.lock import exclusive
from resect.store.opening import holds_audit, is_empty, plain_errors
from resect.store.sqlite import Store
from resect.tasks import readers


class Run:
    """The run at `path`: the questions, the answers and the findings."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path) -> Run:
        """Create the folder, or open it to continue; `RequestError` if it cannot be written to."""
        place = destination(path)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(
                f"the output folder {place} cannot be created ({error.strerror}): give another "
                "--out."
            ) from None
        return cls(place)

    @contextlib.contextmanager
    def writing(self, notice: Callable[[str], None] = warnings.warn) -> Iterator[Store]:
        """The store, open for its only writer; a second process gets an error.

        `notice` is told what was damaged and will be asked again.
        """
        place = self.path / "results.sqlite"
        with exclusive(self.path), plain_errors(self.path), Store(place) as store:
            if not store.health.sound:
                notice(mended(place, store.health))
            yield store

    @contextlib.contextmanager
    def reading(self, check: bool = True) -> Iterator[Store]:
        """The store, read-only; `check` verifies it, as findings need."""
        place = self.path / "results.sqlite"
        with plain_errors(self.path), Store(place, write=False, check=check) as store:
            yield store

    def replaceable(self) -> bool:
        """Whether an audit may write here: no answers yet, or those of an audit, even damaged."""
        place = self.path / "results.sqlite"
        return not place.exists() or holds_audit(place) or is_empty(place)

    def _repr_html_(self) -> str:
        """The headline and the matrix of all versions, for notebooks."""
        return notebook.of_run(self.findings())

    def answers(self) -> pd.DataFrame:
        """One row for each answer: see `Store.answers`."""
        with self.reading() as store:
            return store.answers()

    def read(self) -> tuple[pd.DataFrame, dict[str, TaskInfo]]:
        """The answers as reports use them (newest reader, grades included), and the tasks."""
        with self.reading() as store:
            return _read(store), store.tasks()

    def curves(self) -> pd.DataFrame:
        """One row for each point of a curve: the scalar columns of `summary()["curves"]`."""
        rows = self.summary()["curves"]
        return pd.DataFrame(
            [{k: v for k, v in row.items() if not isinstance(v, dict)} for row in rows]
        )

    def summary(self) -> dict[str, Any]:
        """Every finding as data (docs/summary.md), from summary.json or newly computed."""
        path = self.path / "summary.json"
        if path.is_file():
            with contextlib.suppress(OSError, ValueError):
                data = from_json(path.read_bytes())
                if isinstance(data, dict):
                    return data
            raise RequestError(f"{path} is damaged: rebuild it with `resect report`.")
        return to_data(self.analyse()[0])

    def findings(self) -> Summary:
        """Every finding as typed rows, from summary.json or newly computed."""
        return from_data(self.summary(), str(self.path / "summary.json"))

    def analyse(
        self, margin: float | None = None, alpha: float | None = None
    ) -> tuple[Summary, pd.DataFrame]:
        """The findings computed from the store, and the answers they are computed from.

        `margin` and `alpha`, if given, replace those of the study.
        """
        given = {"margin": margin, "alpha": alpha}
        with self.reading() as store:
            facts, answers, tasks = store.facts(), _read(store), store.tasks()
            models, cells, measurements = store.models(), store.cells(), store.measurements()
        if "study" not in facts:
            raise RequestError(f"{self.path} contains no study: run one with --out {self.path}.")
        summary = analyse(
            study=facts["study"] | {k: v for k, v in given.items() if v is not None},
            models=_sized(models, measurements),
            tasks=tasks,
            answers=answers,
            cells=cells,
            measurements=measurements,
            provenance=facts.get("provenance", {}),
            resamples=facts["study"]["resamples"],
            seed=facts["study"]["seed"],
            judge=facts.get("judge"),
            warnings=facts.get("warnings", ()),
        )
        return summary, answers

    def failed(self) -> str | None:
        """A sentence about the failed cells, or None."""
        with self.reading(check=False) as store:
            cells = store.cells()
        failed = cells[cells["status"] == "failed"]
        if failed.empty:
            return None
        others = "shows the others" if len(failed) < len(cells) else "has no answers to show"
        return (
            f"{len(failed)} of {len(cells)} cells failed ({failed['reason'].iloc[0]}): "
            f"{self.path / 'report.html'} {others}. Run the same command to try them again."
        )

    def report(self, margin: float | None = None, alpha: float | None = None) -> Path:
        """Rebuild summary, page and card from the store; the path of the page."""
        summary, answers = self.analyse(margin, alpha)
        text, data = card.render(summary)
        write(self.path / "summary.json", to_json(to_data(summary)))
        write(self.path / "report.html", page.render(summary, answers))
        write(self.path / "card.md", text)
        write(self.path / "card.json", to_json(data))
        return self.path / "report.html"


def changes(first: Path, second: Path) -> RunDiff:
    """What changed from one run to another (docs/diff.md): the findings of two run folders or
    summary.json files, and the answers where both folders have a store.
    """
    findings = diff_findings(first, second)
    without = [str(path) for path in (first, second) if not (path / "results.sqlite").is_file()]
    if without:
        return RunDiff(findings, None, f"there is no results.sqlite in {' and '.join(without)}")
    names = {pair.second: pair.first for pair in findings.models}
    return RunDiff(findings, diff_answers(Run(first).read(), Run(second).read(), names), None)


def to_json(value: Any) -> str:
    """JSON for files and stdout: UTF-8, no NaN, control characters escaped."""
    return plain_json(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file completely or not at all: temporary file, fsync, rename."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(store: Store) -> pd.DataFrame:
    answers = _reread(store.answers(likely=True), store.items(), store.tasks())
    return _judged(answers, store, store.facts().get("judge"))


def _reread(
    answers: pd.DataFrame, items: Mapping[str, Item], tasks: Mapping[str, TaskInfo]
) -> pd.DataFrame:
    """Answers that an older reader read, read again, so that each task has one reader."""
    reader_of = answers.groupby("task")["reader"].first()
    newest = {
        str(task): reader
        for task, version in reader_of.items()
        if (reader := readers.again(tasks[str(task)], version))
    }
    versions = answers["task"].map({task: reader.version for task, reader in newest.items()})
    # no outcome: no text was asked for, as in option scores that somebody else recorded
    old = answers["task"].isin(newest) & (answers["reader"] != versions)
    old &= answers["outcome"] != ""
    if not old.any():
        return answers
    columns = [answers.loc[old, name] for name in ("task", "text", "item", "stopped")]
    read = [
        newest[name].read(text, items[key], stopped)
        for name, text, key, stopped in zip(*columns, strict=True)
    ]
    columns_of = {"answer": "value", "outcome": "outcome", "tier": "tier", "score": "score"}
    for column, name in columns_of.items():
        answers.loc[old, column] = [getattr(reading, name) for reading in read]
    parts = pd.Series([dict(r.parts) or None for r in read], answers.index[old], dtype=object)
    return answers.assign(parts=answers["parts"].where(~old, parts.reindex(answers.index)))


def _judged(answers: pd.DataFrame, store: Store, judge: Mapping[str, Any] | None) -> pd.DataFrame:
    """Answers with the grade of their text among their parts; no answer counts 0."""
    scores = {} if judge is None else store.judgements(judge)
    if not scores:
        return answers
    graded = set(answers.loc[answers["item"].isin({item for item, _ in scores}), "task"])
    parts = []
    columns = (answers[name] for name in ("task", "item", "answer", "parts"))
    for task, item, text, stored in zip(*columns, strict=True):
        score = scores.get((item, digest(text))) if isinstance(text, str) else 0.0
        known = task in graded and score is not None
        parts.append({**(stored or {}), **({"judged": score} if known else {})} or None)
    return answers.assign(parts=pd.Series(parts, answers.index, dtype=object))


def _sized(
    models: list[dict[str, Any]], measurements: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Models with their number of parameters as measured before any damage."""
    whole = {m["model"]: m["parameters"] for m in measurements if m["recipe"] == "none"}
    return [{**model, "parameters": whole.get(model["name"])} for model in models]
