"""Tasks answered with a program, which is run in `resect.tasks.sandbox`, only with an opt-in.

HumanEval (Chen et al. 2021, arXiv:2107.03374; hub: openai/openai_humaneval) and the hand-verified
part of MBPP (Austin et al. 2021, arXiv:2108.07732; hub: google-research-datasets/mbpp, config
sanitized). One greedy program a problem: pass@1 is the share that passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resect.record import Item, TaskInfo
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Program
from resect.tasks.sandbox import programs
from resect.tasks.sources import Row, Rows

_RUN = f"run for {programs.LIMITS.seconds:g} s in {programs.LIMITS.memory >> 20} MB, walled in"


class ProgramTask(QuestionTask):
    """The gold is a program of tests; the context is the code that the answer continues."""

    reader = Program()

    def items(self, source: Source) -> list[Item]:
        """The items; raises `RequestError` if programs may not be run here."""
        programs.check()
        return super().items(source)

    def shown(self, question: Question) -> str:
        """The reference solution as it stands."""
        return question.shown


def _problem(row: Mapping[str, Any], at: int) -> Row:
    return {**row, "id": row["task_id"]}


HUMANEVAL = Rows(
    file="humaneval.jsonl.gz",
    fields=dict.fromkeys(("id", "prompt", "entry_point", "canonical_solution", "test"), str),
    hub="openai/openai_humaneval",
    revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    columns=dict.fromkeys(
        ("task_id", "prompt", "entry_point", "canonical_solution", "test"), str
    ),
    convert=_problem,
)  # fmt: skip


class HumanEval(ProgramTask):
    """Complete a function from its signature and docstring."""

    info = TaskInfo(
        name="humaneval",
        kind="code",
        domain="general",
        labels=(),
        summary="complete a Python function, 164 problems, their tests are run (opt-in)",
        protocol="all 164 problems, the prompt without its last line break, one program each, "
        f"{_RUN}, pass@1",
        max_new_tokens=512,
        stop=("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint("),
        primary="pass@1",
        **HUMANEVAL.origin,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The problems in the order of the release."""
        for row in HUMANEVAL.read(source):
            yield Question(
                id=f"humaneval/{row['id'].rpartition('/')[2]}",
                question=row["entry_point"],
                context=row["prompt"].rstrip(),
                gold=f"{row['test'].rstrip()}\n\ncheck({row['entry_point']})",
                shown=f"\n{row['canonical_solution'].rstrip()}",
            )

    def prompt(self, question: Question) -> str:
        """Signature and docstring."""
        return question.context


def _sanitized(row: Mapping[str, Any], at: int) -> Row:
    return {**row, "id": f"mbpp-{row['task_id']}", "solution": row["code"], "split": ""}


MBPP = Rows(
    file="mbpp_sanitized.jsonl.gz",
    fields={**dict.fromkeys(("id", "prompt", "solution", "split"), str),
            "test_imports": list, "test_list": list},
    hub="google-research-datasets/mbpp",
    config="sanitized",
    revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    columns={"task_id": int, "prompt": str, "code": str, "test_imports": list, "test_list": list},
    convert=_sanitized,
)  # fmt: skip


class Mbpp(ProgramTask):
    """Write a function from a sentence and its tests."""

    info = TaskInfo(
        name="mbpp",
        kind="code",
        domain="general",
        labels=(),
        summary="write a Python function, 257 hand-verified problems, their tests are run (opt-in)",
        protocol="test split of the sanitized MBPP, the tests shown in the prompt, one program "
        f"each, {_RUN}, pass@1",
        max_new_tokens=512,
        stop=("[DONE]",),
        primary="pass@1",
        **MBPP.origin,
    )
    num_fewshot = 3
    pool_name = "the first of the prompt split"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test split in the order of the release."""
        return (self._question(row) for row in _rows(source, "test"))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The prompt split in its order."""
        return [self._question(row) for row in _rows(source, "prompt")]

    def prompt(self, question: Question) -> str:
        """As the paper and lm-evaluation-harness ask it."""
        return (
            f"You are an expert Python programmer, and here is your task: {question.question} "
            f"Your code should pass these tests:\n\n{question.gold.split(_IMPORTED)[-1]}\n[BEGIN]"
        )

    def _question(self, row: Row) -> Question:
        tests = "\n".join(row["test_list"])
        imports = "\n".join(row["test_imports"])
        return Question(
            id=f"mbpp/{row['id'].removeprefix('mbpp-')}",
            question=row["prompt"],
            gold=f"{imports}{_IMPORTED}{tests}" if imports else tests,
            shown=f"\n{row['solution'].strip()}\n[DONE]",
        )


_IMPORTED = "\n# tests\n"


def _rows(source: Source, split: str) -> Iterator[Row]:
    """Rows of one split: a column of the file, a split of the hub."""
    for row in replace(MBPP, split=split).read(source):
        if row["split"] in ("", split):
            yield row
