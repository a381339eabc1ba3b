"""A run folder: the store, the resolved study, and the findings rebuilt from them. Torch-free."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from resect.cleaner import plain_json
from resect.diff.answer_diff import diff_answers
from resect.diff.run_diff import RunDiff, diff_findings
from resect.errors import RequestError
from resect.findings.rows import Summary
from resect.findings.summary_file import from_data, to_data
from resect.record import Item, TaskInfo, digest
from resect.report import card
from resect.report.data.examples import ShownAnswer
from resect.report.page import render as page
from resect.running.analysis import analyse
from resect.running.destination import destination
from resect.store.health import mended
from resect.store.lock import exclusive
from resect.store.opening import holds_audit, plain_errors
from resect.store.sqlite import Store
from resect.tasks import readers

_EXAMPLES = 60  # answers shown in the page


class Run:
    """The run at `path`: what was asked, what came back, and what follows from it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path) -> Run:
        """Make the folder, or open it to go on; `RequestError` where it cannot be written."""
        place = destination(path)
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RequestError(
                f"the output folder {place} cannot be made ({error.strerror}): give another --out."
            ) from None
        return cls(place)

    @contextlib.contextmanager
    def writing(self, notice: Callable[[str], None] = warnings.warn) -> Iterator[Store]:
        """The store, open for the one writer; a second process is told so, and `notice` of what was
        damaged and is to be asked again.
        """
        place = self.path / "results.sqlite"
        with exclusive(self.path), plain_errors(self.path), Store(place) as store:
            if not store.health.sound:
                notice(mended(place, store.health))
            yield store

    @contextlib.contextmanager
    def reading(self, check: bool = True) -> Iterator[Store]:
        """The store, read-only; findings are made of one that was checked."""
        place = self.path / "results.sqlite"
        with plain_errors(self.path), Store(place, write=False, check=check) as store:
            yield store

    def replaceable(self) -> bool:
        """Whether an audit may write here: over nothing, or over another, a damaged one too."""
        place = self.path / "results.sqlite"
        return not place.exists() or holds_audit(place)

    def answers(self) -> pd.DataFrame:
        """One row an answer: see `Store.answers`."""
        with self.reading() as store:
            return store.answers()

    def read(self) -> tuple[pd.DataFrame, dict[str, TaskInfo]]:
        """The answers as reports read them, by the newest reader and the judge, and the tasks."""
        with self.reading() as store:
            return _read(store), store.tasks()

    def curves(self) -> pd.DataFrame:
        """One row a point of a curve: the scalar columns of `summary()["curves"]`."""
        rows = self.summary()["curves"]
        return pd.DataFrame(
            [{k: v for k, v in row.items() if not isinstance(v, dict)} for row in rows]
        )

    def summary(self) -> dict[str, Any]:
        """Every finding as data (docs/summary.md), from the file or, where it lacks, anew."""
        path = self.path / "summary.json"
        if path.is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return found
            except ValueError:
                raise RequestError(f"{path} is broken: rebuild it with `resect report`.") from None
        return to_data(self.analyse()[0])

    def findings(self) -> Summary:
        """Every finding as typed rows, from summary.json or, where it lacks, anew."""
        return from_data(self.summary(), str(self.path / "summary.json"))

    def analyse(
        self, margin: float | None = None, alpha: float | None = None
    ) -> tuple[Summary, pd.DataFrame]:
        """The findings computed from the store, and the answers they are computed from.

        `margin` and `alpha` of the verdict stand in for the study's where they are given.
        """
        given = {"margin": margin, "alpha": alpha}
        with self.reading() as store:
            facts, answers, tasks = store.facts(), _read(store), store.tasks()
            models, cells, measurements = store.models(), store.cells(), store.measurements()
        if "study" not in facts:
            raise RequestError(f"{self.path} holds no study: run one into it.")
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
        )
        warnings = (*facts.get("warnings", ()), *summary.warnings)
        return replace(summary, warnings=warnings), answers

    def failed(self) -> str | None:
        """A sentence about the cells that failed, None where there are none."""
        with self.reading(check=False) as store:
            cells = store.cells()
        failed = cells[cells["status"] == "failed"]
        if failed.empty:
            return None
        others = "shows the others" if len(failed) < len(cells) else "has no answers to show"
        return (
            f"{len(failed)} of {len(cells)} cells failed ({failed['reason'].iloc[0]}): "
            f"{self.path / 'report.html'} {others}, run again to try them once more."
        )

    def report(self, margin: float | None = None, alpha: float | None = None) -> Path:
        """Rebuild summary, page and card from the store; the path of the page."""
        summary, answers = self.analyse(margin, alpha)
        text, data = card.render(summary)
        write(self.path / "summary.json", to_json(to_data(summary)))
        write(self.path / "report.html", page.render(summary, _examples(answers, summary)))
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
    """JSON as written to files and to stdout: UTF-8, no NaN, nothing that a terminal obeys."""
    return plain_json(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename."""
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
    answers = _reread(store.answers(), store.items(), store.tasks())
    return _judged(answers, store, store.facts().get("judge"))


def _reread(
    answers: pd.DataFrame, items: Mapping[str, Item], tasks: Mapping[str, TaskInfo]
) -> pd.DataFrame:
    """Read anew what an older reader read, so that one run has one reader of each task."""
    found = answers.groupby("task")["reader"].first()
    newest = {
        str(task): reader
        for task, version in found.items()
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
    """Answers with what the judge said of their texts among their parts; silence is 0."""
    scores = {} if judge is None else store.judgements(judge)
    if not scores:
        return answers
    graded = set(answers.loc[answers["item"].isin({item for item, _ in scores}), "task"])
    parts = []
    columns = (answers[name] for name in ("task", "item", "answer", "parts"))
    for task, item, said, own in zip(*columns, strict=True):
        score = scores.get((item, digest(said))) if isinstance(said, str) else 0.0
        known = task in graded and score is not None
        parts.append({**(own or {}), **({"judged": score} if known else {})} or None)
    return answers.assign(parts=pd.Series(parts, answers.index, dtype=object))


def _sized(
    models: list[dict[str, Any]], measurements: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Models with their parameters as measured before any damage."""
    whole = {m["model"]: m["parameters"] for m in measurements if m["recipe"] == "none"}
    return [{**model, "parameters": whole.get(model["name"])} for model in models]


def _examples(answers: pd.DataFrame, summary: Summary) -> list[ShownAnswer]:
    """Answers worth reading: right at level 0 and lost later, one a model, task and level.

    After them both models' answers to every divergence of the summary, marked as such.
    """
    columns = ["model", "task", "item_id"]
    answers = answers[answers["variant"].isna()]
    intact = answers[(answers["recipe"] == "none") & (answers["score"] == 1.0)]
    lost = answers[(answers["recipe"] != "none") & (answers["score"] == 0.0)]
    found = lost.merge(intact[columns], on=columns)
    found = found.groupby(["model", "task", "level"], sort=True, as_index=False).first()
    step = max(1, -(-len(found) // _EXAMPLES))
    keys = ["model", "recipe", "level", "task", "item_id", "prompt", "gold", "text", "answer"]
    keys += ["outcome", "chosen"]
    apart = answers.merge(_divergent(summary), on=["model", "recipe", "level", "task", "item"])
    kept = [found.iloc[::step][keys].assign(divergence=False)]
    kept.append(apart[["item", *keys]].assign(divergence=True))
    rows = [row for part in kept for row in part.to_dict("records")]
    return [_shown(row) for row in rows]


def _shown(row: Mapping[Any, Any]) -> ShownAnswer:
    """An answer of the frame; what is not a number there is missing."""
    fields: dict[str, Any] = {key: None if value != value else value for key, value in row.items()}
    return ShownAnswer(**fields)


def _divergent(summary: Summary) -> pd.DataFrame:
    """Keys of the answers that the divergences of a summary speak of, each once."""
    keys = ["model", "recipe", "level", "task", "item"]
    rows = [
        (model, pair.recipe, item.level, pair.task, item.item)
        for pair in summary.divergences
        for item in pair.items
        for model in (item.keeps, item.loses)
    ]
    frame = pd.DataFrame(rows, columns=keys).astype({"level": float})
    return frame.drop_duplicates()
