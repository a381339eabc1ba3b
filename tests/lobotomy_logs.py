"""The recorded study as `summarise` takes it, with the study's own parses; and frames by hand."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
from benchmark_files import DATA

from resect.record import TaskInfo

LOGS = DATA / "lobotomy_logs.tar.xz"
MODELS = [
    {"name": "BioMistral-7B", "role": "specialist", "id": "BioMistral/BioMistral-7B"},
    {"name": "Mistral-7B-v0.1", "role": "base", "id": "mistralai/Mistral-7B-v0.1"},
]
SUBJECTS = {
    "formal_logic": "logic",
    "logical_fallacies": "logic",
    "global_facts": "logic",
    "college_medicine": "medical",
    "clinical_knowledge": "medical",
}
LETTERS, WORDS = ("A", "B", "C", "D"), ("yes", "no", "maybe")


def task(name: str, labels: tuple[str, ...], **more: Any) -> TaskInfo:
    """A label task with nothing but a name and labels."""
    fields: dict[str, Any] = {"summary": "", "protocol": "", "max_new_tokens": 10, **more}
    return TaskInfo(name=name, kind="label", labels=labels, **fields)


TASKS = {
    "logic": task("logic", LETTERS),
    "medical": task("medical", LETTERS),
    "pubmedqa": task("pubmedqa", WORDS, positive="yes"),
}
STUDY = {"name": "lobotomy", "recipes": [{"name": "magnitude", "levels": []}]}


def read_logs(archive: Path = LOGS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers and cells of the 80 published files, one row per answer and per cell and task."""
    parts = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if not member.name.endswith("_percent.csv"):
                continue
            handle = tar.extractfile(member)
            assert handle is not None
            rows = pd.read_csv(io.BytesIO(handle.read()), keep_default_na=False)
            parts.append(_rows(rows, member.name))
    answers = pd.concat(parts, ignore_index=True)
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    cells = answers.groupby(keys, sort=False).size().rename("n").reset_index()
    return answers, cells.assign(status="success", reason=None)


def _rows(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    level = int(name.split("_")[-2]) / 100
    model = MODELS[0] if "/BioMistral_" in name else MODELS[1]
    item = [f"{name.split('/')[1].split('_')[-1]}-{i:04d}" for i in range(len(rows))]
    guess = rows["parsed_guess"].where(rows["parsed_guess"] != "X", None)
    return pd.DataFrame({
        "model": model["name"],
        "role": model["role"],
        "recipe": "none" if level == 0 else "magnitude",
        "seed": 0,
        "level": level,
        "task": rows["subject"].map(SUBJECTS) if "subject" in rows else "pubmedqa",
        "item": item,
        "item_id": item,
        "parent": None,
        "variant": None,
        "gold": rows["true_answer"],
        "text": rows["raw_response"],
        "outcome": None,
        "tier": None,
        "answer": guess,
        "score": (guess == rows["true_answer"]).astype(float),
        "chosen": None,
        "option_scores": None,
        "stopped": None,
        "tags": None,
    })  # fmt: skip
