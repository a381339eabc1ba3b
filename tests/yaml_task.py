"""A task of lm-evaluation-harness of a user's own: a YAML file and its questions, no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

BASE: dict[str, Any] = {
    "dataset_path": "json",
    "test_split": "test",
    "fewshot_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "Question: {{question}}\nAnswer:",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}
WORDS: dict[str, Any] = {
    "output_type": "generate_until",
    "doc_to_choice": None,
    "doc_to_target": "word",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8},
}
"""Changes that make it a task whose answer is generated."""


def write(folder: Path, name: str = "local", count: int = 48, **changes: Any) -> Path:
    """The task's YAML file in `folder`; `changes` are to its config, None takes out."""
    data = folder / f"{name}.jsonl"
    with data.open("w") as file:
        for i in range(count):
            choices = ["it is even", "odd", f"prime number {i}"]
            row = {"question": f"Is {i} even, or {i * 7}?", "choices": choices, "answer": i % 3}
            more = {"right": [i % 3, (i + 1) % 3], "word": "yes" if i % 2 else "no"}
            file.write(json.dumps({**row, **more}) + "\n")
    config = {**BASE, "task": name, "dataset_kwargs": {"data_files": {"test": str(data)}}}
    config = {key: value for key, value in {**config, **changes}.items() if value is not None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def evil(folder: Path, name: str = "evil.yaml") -> tuple[Path, Path]:
    """A task file that names a function beside it, and the file that running that one makes."""
    path, mark = folder / name, folder / "code-was-run"
    (folder / "payload.py").write_text(
        f"from pathlib import Path\nPath({str(mark)!r}).touch()\n\ndef docs(dataset):\n"
        "    return dataset\n"
    )
    written = write(folder, "evil")
    path.write_text(written.read_text() + "process_docs: !function payload.docs\n")
    if path != written:
        written.unlink()
    return path, mark
