"""The tasks: one table, name to class. Listing it loads no data and no torch."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from resect.errors import unknown
from resect.tasks.base import Source, Task

TASKS: dict[str, str] = {
    "clinic-context": "resect.tasks.clinic:Context",
    "clinic-medicine": "resect.tasks.clinic:Medicine",
    "clinic-logic": "resect.tasks.clinic:Logic",
    "pubmedqa": "resect.tasks.pubmedqa:PubMedQA",
    "mmlu-lobotomy": "resect.tasks.mmlu:Lobotomy",
}


def get(name: str) -> Task:
    """The task called `name`; an unknown name answers with the nearest ones."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    module, _, attribute = TASKS[name].partition(":")
    return cast(Task, getattr(import_module(module), attribute)())


__all__ = ["TASKS", "Source", "Task", "get"]
