"""A run's answers for other tools: CSV, Parquet, or the sample files of lm-evaluation-harness.

CSV is the plain format that `resect audit` reads back; so are the lm-eval files. No cell of a CSV
is one that a spreadsheet would compute. An export is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from resect.errors import RequestError, unknown
from resect.record import Item, TaskInfo
from resect.store.formulas import guarded
from resect.store.sqlite import Store

FORMATS = ("csv", "parquet", "lm-eval")
_CELL = ["model", "role", "recipe", "seed", "level"]
_DOC = (
    "id", "question", "context", "gold", "labels", "options", "choices", "means", "parent",
    "variant", "tags",
)  # fmt: skip
"""What a sample's document holds of its item."""

_AS_JSON = ("options", "labels", "means", "choices", "option_scores", "tags")


def export(store: Store, to: str, out: Path, notice: Callable[[str], None] = print) -> list[Path]:
    """Write the run into the folder `out`, and return the files. Raises `RequestError`.

    `notice` gets a sentence about tasks that the format cannot hold.
    """
    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    if to == "parquet" and not find_spec("pyarrow"):
        raise RequestError("parquet needs pyarrow: pip install 'resect[parquet]'.")
    answers = store.answers()
    if not len(answers):
        raise RequestError("the run has no answers yet, so there is nothing to export.")
    if to != "parquet":
        answers = _with_gold(answers, store.tasks(), to, notice)
    try:
        with _whole(out) as folder:
            if to == "lm-eval":
                written = list(_lm_eval(store, answers, folder))
            else:
                written = list(_tables(store, answers, to, folder))
    except OSError as error:
        raise RequestError(
            f"{out} cannot be written ({error.strerror}): give another --out."
        ) from None
    return [out / path.relative_to(folder) for path in written]


@contextlib.contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder inside `out` whose files move up when all of them are written."""
    fresh = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out, prefix=".export."))
    try:
        yield folder
        for path in sorted(folder.rglob("*")):
            place = out / path.relative_to(folder)
            if path.is_dir():
                place.mkdir(exist_ok=True)
            else:
                os.replace(path, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if fresh:
            with contextlib.suppress(OSError):  # it holds the export
                out.rmdir()


def _with_gold(
    answers: pd.DataFrame, infos: Mapping[str, TaskInfo], to: str, notice: Callable[[str], None]
) -> pd.DataFrame:
    """The answers without those of perplexity: it has no gold, so no audit could read them."""
    lacking = [name for name, info in infos.items() if info.kind == "score"]
    scored = answers[~answers["task"].isin(lacking)]
    names = ", ".join(lacking)
    if not len(scored):
        raise RequestError(
            f"{to} needs gold answers, and {names} has none: export it with --to parquet."
        )
    if lacking:
        notice(f"{names} is left out, because {to} needs gold answers: parquet holds it.")
    return scored


def _tables(store: Store, answers: pd.DataFrame, to: str, out: Path) -> Iterator[Path]:
    measurements = pd.json_normalize(store.measurements()).drop(columns="steps", errors="ignore")
    tables = {
        "answers": _plain(store, answers), "cells": store.cells(), "measurements": measurements
    }  # fmt: skip
    for name, table in tables.items():
        path = out / f"{name}.{to}"
        if name != "answers" and not len(table.columns):
            continue
        if to == "csv":
            guarded(table).to_csv(
                path, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
            )
        else:
            table.to_parquet(path, index=False)
        yield path
    infos = {name: asdict(info) for name, info in store.tasks().items()}
    yield _written(out / "answers.tasks.json", json.dumps(infos, indent=1, ensure_ascii=False))


def _plain(store: Store, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers with the columns of the plain format (docs/recorded.md) first."""
    items, infos = store.items(), store.tasks()
    rows = []
    several = _several_seeds(answers)
    for row in _records(answers):
        item = items[row["item"]]
        rows.append({
            **{name: row[name] for name in ("model", "role")},
            "recipe": _recipe(row, several),
            "level": row["level"],
            "task": row["task"],
            "item": item.id,
            "gold": item.gold,
            "text": row["text"] if row["outcome"] or row["text"] else None,
            **{name: getattr(item, name) for name in ("options", "labels", "means", "choices")},
            **{name: getattr(item, name) for name in ("parent", "variant")},
            "option_scores": row["option_scores"],
            "scored": infos[row["task"]].scored,
            "tags": item.tags,
            "recorded": row["recorded"],
            "prompt": item.prompt,
            "question": item.question,
            "context": item.context or None,
            **{name: row[name] for name in ("answer", "outcome", "tier", "score", "chosen")},
            **{name: row[name] for name in ("seed", "status", "stopped", "tokens")},
        })  # fmt: skip
    table = pd.DataFrame(rows)
    for name in _AS_JSON:
        table[name] = [json.dumps(v, ensure_ascii=False) if v else None for v in table[name]]
    return table.dropna(axis="columns", how="all")


def _lm_eval(store: Store, answers: pd.DataFrame, out: Path) -> Iterator[Path]:
    """One folder a model, recipe and level; one file a task, variant and view."""
    infos, items = store.tasks(), store.items()
    ids = {model["name"]: model.get("id") or model["name"] for model in store.models()}
    time = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f")
    several = _several_seeds(answers)
    for _, cell in answers.groupby(_CELL, dropna=False, sort=False):
        first = _records(cell.iloc[:1])[0]
        subject = {
            "model": first["model"],
            "id": ids.get(first["model"], first["model"]),
            "role": first["role"],
            "recipe": _recipe(first, several),
            "level": first["level"],
        }
        dose = "" if subject["level"] is None else f"{subject['level']:g}"
        place = out / _file_name(f"{subject['model']}__{subject['recipe']}__{dose}")
        place.mkdir(exist_ok=True)
        results: dict[str, Any] = {"results": {}, "configs": {}, "versions": {}, "n-shot": {}}
        # variants stand apart, so that the scores of a file are of its task's own questions
        for (task, variant), rows in cell.groupby(["task", "variant"], sort=False, dropna=False):
            called = f"{task}_{variant}" if isinstance(variant, str) else str(task)
            for name, samples in _views(_file_name(called), rows, items):
                lines = (f"{json.dumps(sample, ensure_ascii=False)}\n" for sample in samples)
                yield _written(place / f"samples_{name}_{time}.jsonl", "".join(lines))
                _describe(results, name, infos[str(task)], samples)
        results["config"] = {
            "model": "resect", "model_args": {"pretrained": subject["id"]}, "resect": subject
        }  # fmt: skip
        results["model_name"] = subject["id"]
        text = json.dumps(results, indent=1, ensure_ascii=False)
        yield _written(place / f"results_{time}.json", text)


def _views(
    name: str, rows: pd.DataFrame, items: Mapping[str, Item]
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Name and samples of each view that was asked."""
    texts, options = [], []
    for number, row in enumerate(_records(rows)):
        item = items[row["item"]]
        if row["outcome"] or row["text"]:
            texts.append(_text_sample(number, row, item))
        right = _right(item)
        if row["option_scores"] is not None and right is not None:
            options.append(_option_sample(number, row, item, right))
    if texts:
        yield name, texts
    if options:
        yield f"{name}_options", options


def _text_sample(number: int, row: Mapping[str, Any], item: Item) -> dict[str, Any]:
    return {
        **_head(number, row, item, str(item.gold)),
        "arguments": {"gen_args_0": {"arg_0": item.prompt, "arg_1": {"do_sample": False}}},
        "resps": [[row["text"]]],
        "filtered_resps": [row["answer"] or "[invalid]"],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": row["score"] or 0.0,
    }


def _option_sample(number: int, row: Mapping[str, Any], item: Item, gold: int) -> dict[str, Any]:
    scores = row["option_scores"]
    choices = item.choices or tuple(f" {label}" for label in item.labels)
    sizes = [len(choice.removeprefix(" ")) or 1 for choice in choices]
    pairs = enumerate(zip(choices, scores, strict=True))
    normal = [score / size for score, size in zip(scores, sizes, strict=True)]
    finite = all(map(math.isfinite, scores))  # else the model chose nothing
    best, best_normal = max(scores), max(normal)
    return {
        **_head(number, row, item, str(gold)),
        "arguments": {
            f"gen_args_{i}": {"arg_0": item.prompt, "arg_1": choice} for i, (choice, _) in pairs
        },
        # whether greedy decoding would give the choice is not known, which lm-eval writes False
        "resps": [[[repr(score), "False"]] for score in scores],
        "filtered_resps": [[repr(score), "False"] for score in scores],
        "filter": "none",
        "metrics": ["acc", "acc_norm"],
        "acc": float(finite and scores.index(best) == gold),
        "acc_norm": float(finite and normal.index(best_normal) == gold),
    }


def _right(item: Item) -> int | None:
    """The place of the right label: the gold, else the first that means it."""
    if item.gold in item.labels:
        return item.labels.index(item.gold)
    return next((i for i, x in enumerate(item.labels) if item.meaning(x) == item.gold), None)


def _head(number: int, row: Mapping[str, Any], item: Item, target: str) -> dict[str, Any]:
    doc = {name: getattr(item, name) for name in _DOC}
    doc |= {name: row[name] for name in ("recorded", "score", "stopped")}
    shown = json.dumps(doc, indent=2, ensure_ascii=False)
    return {
        "doc_id": number,
        "doc": doc,
        "target": target,
        "doc_hash": _hash(shown),
        "prompt_hash": _hash(item.prompt),
        "target_hash": _hash(target),
    }


def _describe(
    results: dict[str, Any], name: str, info: TaskInfo, samples: Sequence[Mapping[str, Any]]
) -> None:
    """Write the mean scores of one file and what its task is into the results."""
    metrics = samples[0]["metrics"]
    means = {f"{m},none": float(sum(x[m] for x in samples)) / len(samples) for m in metrics}
    results["results"][name] = {"alias": name, **means}
    results["configs"][name] = {
        "task": name,
        "output_type": "multiple_choice" if "acc" in metrics else "generate_until",
        "target_delimiter": " ",
        "metadata": {"version": info.version, "resect": {"info": asdict(info)}},
    }
    results["versions"][name], results["n-shot"][name] = info.version, 0


def _several_seeds(answers: pd.DataFrame) -> set[str]:
    """Recipes that ran with more than one seed, whose name has to say which."""
    counts = answers.groupby("recipe")["seed"].nunique()
    return {str(name) for name, count in counts.items() if count > 1 and name != "none"}


def _recipe(row: Mapping[str, Any], several: set[str]) -> str:
    name = str(row["recipe"])
    return f"{name} seed {row['seed']}" if name in several else name


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, with None for what pandas writes as a missing value."""
    whole = table.astype(object).where(table.notna(), None)
    return [{str(key): value for key, value in row.items()} for row in whole.to_dict("records")]


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _file_name(name: str) -> str:
    """The name as that of a file or folder; a changed or shortened one ends with a hash."""
    plain = re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII)[-80:]
    return plain if plain == name else f"{plain}-{_hash(name)[:8]}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
