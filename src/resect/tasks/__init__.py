"""The tasks: one table, name to class. Listing it loads no data and no torch.

A name is `TASK`, or `TASK:ARGUMENT` where the table has `TASK:` (mmlu:anatomy, own:FILE.jsonl);
`:cot` after the name of a label or number task asks for reasoning before the answer.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

from resect.errors import RequestError, unknown
from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source, Task

TASKS: dict[str, str] = {
    "clinic-context": "resect.clinic.clinic_tasks:Context",
    "clinic-medicine": "resect.clinic.clinic_tasks:Medicine",
    "clinic-logic": "resect.clinic.clinic_tasks:Logic",
    "pubmedqa": "resect.tasks.pubmedqa:PubMedQA",
    "pubmedqa-test": "resect.tasks.pubmedqa:TestHalf",
    "bioasq-yesno": "resect.tasks.bioasq:BioASQ",
    "medqa": "resect.tasks.medqa:MedQA",
    "medqa-4": "resect.tasks.medqa:FourOptions",
    "medmcqa": "resect.tasks.medmcqa:MedMCQA",
    "mmlu-medical": "resect.tasks.mmlu:Medical",
    "mmlu-logic": "resect.tasks.mmlu:Logic",
    "mmlu-lobotomy": "resect.tasks.mmlu:Lobotomy",
    "mmlu:": "resect.tasks.mmlu:Subject",
    "truthfulqa": "resect.tasks.truthfulqa:TruthfulQA",
    "medhallu": "resect.tasks.medhallu:Preference",
    "medhallu-detect": "resect.tasks.medhallu:Detection",
    "medhalt-fake": "resect.tasks.medhalt:FakeQuestions",
    "healthver": "resect.tasks.healthver:HealthVer",
    "own:": "resect.tasks.own:Own",
    "lm-eval:": "resect.tasks.harness:Harness",
    "gsm8k": "resect.tasks.gsm8k:GSM8K",
    "math500": "resect.tasks.math500:Math500",
    "humaneval": "resect.tasks.programs:HumanEval",
    "mbpp": "resect.tasks.programs:Mbpp",
    "ncbi-disease": "resect.tasks.ner:NCBIDisease",
    "bc5cdr": "resect.tasks.ner:BC5CDR",
    "medquad": "resect.tasks.medquad:MedQuAD",
    "pubmedqa-conclusion": "resect.tasks.conclusion:Conclusion",
    "wikitext2": "resect.tasks.perplexity:WikiText2",
    "perplexity:": "resect.tasks.perplexity:Perplexity",
}
"""A class is called without arguments; that of a name ending in `:` with what stands after it."""

COT = ":cot"


def get(name: str) -> Task:
    """The task called `name`; an unknown name answers with the nearest ones."""
    if name.endswith(COT):
        from resect.tasks.cot import reasoned

        inner = name.removesuffix(COT)
        return reasoned(get(inner), inner)
    family, colon, argument = name.partition(":")
    if name.endswith((".jsonl", ".jsonl.gz")) and family + colon not in TASKS:
        return cast(Task, _class("own:")(name, name))
    if family + colon not in TASKS or (colon and not argument):
        raise _unknown(name)
    made = _class(family + colon)
    return cast(Task, made(argument) if colon else made())


def listed() -> Iterator[TaskInfo]:
    """What each line of the table is, in its order; no data is loaded."""
    for name in TASKS:
        made = _class(name)
        yield made.about if name.endswith(":") else made().describe(Source())


def reader_of(name: str) -> Task:
    """The task that reads stored texts of `name`; a label task where the name is not ours."""
    try:
        return get(name)
    except RequestError:
        return LabelTask()


def _class(name: str) -> Any:
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)


def _unknown(name: str) -> RequestError:
    """The nearest names, arguments included; else the table's."""
    table = [key for key in TASKS if not key.endswith(":")]
    families = [key for key in TASKS if key.endswith(":")]
    inner = [f"{key}{one}" for key in families for one in getattr(_class(key), "arguments", ())]
    near = difflib.get_close_matches(name, [*table, *inner], cutoff=0.5)
    return unknown("task", name, near or [*table, *(_class(key).about.name for key in families)])


__all__ = ["TASKS", "Source", "Task", "get", "listed", "reader_of"]
