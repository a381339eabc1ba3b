"""MATH-500: competition problems, the final expression of a solution.

Hendrycks et al. 2021 (arXiv:2103.03874), the 500 problems of Lightman et al. 2023
(arXiv:2305.20050). Hub: HuggingFaceH4/MATH-500.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resect.parse import latex
from resect.record import TaskInfo
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Latex
from resect.tasks.sources import Row, Rows


def _convert(row: Mapping[str, Any], at: int) -> Row:
    return {
        "id": f"math500-{at:03d}",
        "question": row["problem"],
        **{name: row[name] for name in ("solution", "answer", "subject", "level") if name in row},
    }


ROWS = Rows(
    file="math500.jsonl.gz",
    fields=dict.fromkeys(("id", "question", "solution", "answer"), str),
    hub="HuggingFaceH4/MATH-500",
    revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    columns=dict.fromkeys(("problem", "solution", "answer"), str),
    convert=_convert,
)


class Math500(QuestionTask):
    """The boxed expression, compared by value."""

    info = TaskInfo(
        name="math500",
        kind="number",
        domain="general",
        labels=(),
        summary="competition mathematics, final expression, 500 problems",
        protocol="MATH-500, the last boxed expression (else the announced one, else the last "
        "formula), equal in value by math-verify",
        max_new_tokens=512,
        stop=("\nProblem:",),
        primary="exact_match",
        **ROWS.origin,
    )
    reader = Latex()
    pool_name = "worked solutions drawn by seed from the other problems"

    def questions(self, source: Source) -> Iterator[Question]:
        """The problems in the order of the release."""
        latex.needed()
        for row in ROWS.read(source):
            tags = {name: str(row[name]) for name in ("subject", "level") if row.get(name)}
            yield Question(
                id=f"math500/{row['id'].removeprefix('math500-')}",
                question=row["question"],
                gold=row["answer"],
                reasoning=row["solution"],
                shown=row["solution"],
                tags=tags,
            )

    def prompt(self, question: Question) -> str:
        r"""The problem, and that the answer goes into \boxed{}."""
        return f"Problem: {question.question}\nPut the final answer within \\boxed{{}}.\nSolution:"
