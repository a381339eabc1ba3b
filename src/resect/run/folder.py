"""A run folder: the store, the resolved study, and the findings rebuilt from them. Torch-free."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from resect.diff.answer_diff import diff_answers
from resect.diff.run_diff import RunDiff, diff_findings
from resect.errors import RequestError
from resect.findings.rows import Summary
from resect.findings.summary_file import to_data
from resect.record import Item, TaskInfo, digest
from resect.report import card
from resect.report.page import render as page
from resect.run.analysis import analyse
from resect.store.sqlite import Store, plain_errors
from resect.tasks import readers

_EXAMPLES = 60  # answers shown in the page


class Run:
    """The run at `path`: what was asked, what came back, and what follows from it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path) -> Run:
        """Make the folder, or open it to go on; `RequestError` where it cannot be written."""
        place = Path(path).expanduser()
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise RequestError(
                f"the output folder {place} cannot be written ({error.strerror}): "
                "give another with --out."
            ) from None
        return cls(place)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Store]:
        """The store, open for the one writer; a second process is told so."""
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RequestError(
                    f"another process is writing to {self.path}: wait for it, or "
                    "give another --out."
                ) from None
            with plain_errors(self.path), Store(self.path / "results.sqlite") as store:
                yield store

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """The store, read-only."""
        with plain_errors(self.path), Store(self.path / "results.sqlite", write=False) as store:
            yield store

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

    def analyse(
        self, margin: float | None = None, alpha: float | None = None
    ) -> tuple[Summary, pd.DataFrame]:
        """The findings computed from the store, and the answers they are computed from.

        `margin` and `alpha` of the safe level stand in for the study's where they are given.
        """
        given = {"margin": margin, "alpha": alpha}
        with self.reading() as store:
            facts, answers = store.facts(), _read(store)
            if "study" not in facts:
                raise RequestError(f"{self.path} holds no study: run one into it.")
            measurements = store.measurements()
            summary = analyse(
                study=facts["study"] | {k: v for k, v in given.items() if v is not None},
                models=_sized(store.models(), measurements),
                tasks=store.tasks(),
                answers=answers,
                cells=store.cells(),
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
        with self.reading() as store:
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
        found, answers = self.analyse(margin, alpha)
        summary = to_data(found)
        text, data = card.render(summary)
        write(self.path / "summary.json", to_json(summary))
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
    """JSON as written to files and to stdout: UTF-8, no NaN."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


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


def _examples(answers: pd.DataFrame, summary: Mapping[str, Any]) -> list[dict[str, Any]]:
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
    return [{str(k): None if v != v else v for k, v in row.items()} for row in rows]


def _divergent(summary: Mapping[str, Any]) -> pd.DataFrame:
    """Keys of the answers that the divergences of a summary speak of, each once."""
    keys = ["model", "recipe", "level", "task", "item"]
    rows = [
        (one[side], pair["recipe"], one["level"], pair["task"], one["item"])
        for pair in summary["divergences"]
        for one in pair["items"]
        for side in ("keeps", "loses")
    ]
    frame = pd.DataFrame(rows, columns=keys).astype({"level": float})
    return frame.drop_duplicates()
