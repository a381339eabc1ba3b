"""The tasks: one table, name to class. Listing it loads no data and no torch.

A name is `TASK` or, where the table has `TASK:`, `TASK:ARGUMENT` (mmlu:anatomy).
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from resect.errors import RequestError, unknown
from resect.tasks.base import LabelTask, Source, Task

TASKS: dict[str, str] = {
    "clinic-context": "resect.tasks.clinic:Context",
    "clinic-medicine": "resect.tasks.clinic:Medicine",
    "clinic-logic": "resect.tasks.clinic:Logic",
    "pubmedqa": "resect.tasks.pubmedqa:PubMedQA",
    "mmlu-lobotomy": "resect.tasks.mmlu:Lobotomy",
}
"""A class is called without arguments; that of a name ending in `:` with what stands after it."""


def get(name: str) -> Task:
    """The task called `name`; an unknown name answers with the nearest ones."""
    family, colon, argument = name.partition(":")
    key = family + colon
    if key not in TASKS or (colon and not argument):
        raise unknown("task", name, TASKS)
    module, _, attribute = TASKS[key].partition(":")
    made = getattr(import_module(module), attribute)
    return cast(Task, made(argument) if colon else made())


def reader_of(name: str) -> Task:
    """The task that reads stored texts of `name`; a label task where the name is not ours."""
    try:
        return get(name)
    except RequestError:
        return LabelTask()


__all__ = ["TASKS", "Source", "Task", "get", "reader_of"]
