"""The table of tasks, name to class. Listing it loads no data and no torch.

A name is `TASK`, or `TASK:ARGUMENT` if the table has `TASK:` (mmlu:anatomy, own:FILE.jsonl);
`:cot` after the name of a label or number task asks for reasoning before the answer. A name that
means code (lm-eval:FILE.yaml) is refused unless the caller allows it. Installed packages add
tasks through the entry point group `resect.tasks`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, cast

from resect.errors import RequestError, unknown
from resect.record import TaskInfo
from resect.spec import plugins
from resect.tasks.contract import QuestionTask, Source, Task

if TYPE_CHECKING:  # so that mypy checks that these classes are tasks
    from resect.tasks.harness import Harness

    _PROOF: tuple[type[Task], ...] = (QuestionTask, Harness)

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
    "humaneval": "resect.tasks.code_tasks:HumanEval",
    "mbpp": "resect.tasks.code_tasks:Mbpp",
    "ncbi-disease": "resect.tasks.ner:NCBIDisease",
    "bc5cdr": "resect.tasks.ner:BC5CDR",
    "medquad": "resect.tasks.medquad:MedQuAD",
    "pubmedqa-conclusion": "resect.tasks.conclusion:Conclusion",
    "wikitext2": "resect.tasks.perplexity:WikiText2",
    "perplexity:": "resect.tasks.perplexity:Perplexity",
}
"""Classes take no argument, except for names ending in `:`, which take the text after it."""

COT = ":cot"
CODE = "lm-eval:"


def runs_code(name: str) -> bool:
    """Whether loading the task called `name` would run code of the file that it names."""
    from resect.tasks.harness import is_file

    return name.startswith(CODE) and is_file(name.removesuffix(COT))


def get(name: str, trust_remote_code: bool = False) -> Task:
    """The task called `name`; the error for an unknown name suggests the nearest ones.

    `trust_remote_code` permits the code that a task may bring. Only tasks that a user names come
    through here: stored answers are read by `resect.tasks.readers`.
    """
    if runs_code(name) and not trust_remote_code:
        raise RequestError(
            f"{name} is a file whose code would run: read it, then allow it with "
            "--trust_remote_code."
        )
    if name.endswith(COT):
        from resect.tasks.cot import reasoned

        inner = name.removesuffix(COT)
        return reasoned(get(inner, trust_remote_code), inner)
    known, at, windows = name.partition("@")
    if at and known == "wikitext2":
        return cast(Task, _class(known)(f"@{windows}"))
    family, colon, argument = name.partition(":")
    if name.endswith((".jsonl", ".jsonl.gz")) and family + colon not in TASKS:
        return cast(Task, _class("own:")(name, name))
    if name in installed():
        return cast(Task, _class(name)())
    if family + colon not in TASKS or (colon and not argument):
        raise _unknown(name)
    task_class = _class(family + colon)
    return cast(Task, task_class(argument) if colon else task_class())


def listed() -> Iterator[TaskInfo]:
    """A description of each entry of the table, in order; no data is loaded."""
    for name in (*TASKS, *installed()):
        task_class = _class(name)
        yield task_class.about if name.endswith(":") else task_class().describe(Source())


@cache
def installed() -> Mapping[str, EntryPoint]:
    """The tasks of installed packages; an entry point names a class as the table does."""
    return plugins.points("resect.tasks", TASKS)


def _class(name: str) -> Any:
    if name in installed():
        return plugins.load(installed()[name])
    module, _, attribute = TASKS[name].partition(":")
    return getattr(import_module(module), attribute)


def _unknown(name: str) -> RequestError:
    """The error with the nearest names, arguments included, or else the whole table."""
    table = [key for key in (*TASKS, *installed()) if not key.endswith(":")]
    families = [key for key in TASKS if key.endswith(":")]
    inner = [
        f"{key}{argument}" for key in families for argument in getattr(_class(key), "arguments", ())
    ]
    near = difflib.get_close_matches(name, [*table, *inner], cutoff=0.5)
    return unknown("task", name, near or [*table, *(_class(key).about.name for key in families)])


__all__ = ["TASKS", "Source", "Task", "get", "listed", "runs_code"]
