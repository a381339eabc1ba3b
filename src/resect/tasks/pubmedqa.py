"""PubMedQA, expert-labelled: all 1,000 as the pruning study asked them, and the test half.

Jin et al. 2019 (arXiv:1909.06146), PQA-L. Hub: qiaojin/PubMedQA, config pqa_labeled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import abstract_prompt, context_prompt
from resect.tasks.question import Question
from resect.tasks.sources import Row, Rows

LABELS = ("yes", "no", "maybe")


@cache
def _test_ids() -> frozenset[str]:
    """The official 500 test ids, below the heading of their file."""
    text = (Path(__file__).parent / "pubmedqa_test.txt").read_text(encoding="utf-8")
    return frozenset(text.partition("\n\n")[2].split())


def _convert(row: Mapping[str, Any], number: int) -> Row:
    return {**row, "id": row["pubid"], "contexts": row["context"]["contexts"]}


ROWS = Rows(
    file="pubmedqa_pqal.jsonl.gz",
    fields={
        "id": (str, int),
        "question": str,
        "contexts": list,
        "long_answer": str,
        "final_decision": str,
    },
    hub="qiaojin/PubMedQA",
    config="pqa_labeled",
    split="train",
    revision="9001f2853fb87cab8d220904e0de81ac6973b318",
    columns={
        "pubid": (str, int),
        "question": str,
        "context": dict,
        "long_answer": str,
        "final_decision": str,
    },
    convert=_convert,
)


class PubMedQA(LabelTask):
    """Yes, no or maybe to a question, given the abstract without its conclusion."""

    info = TaskInfo(
        name="pubmedqa",
        kind="label",
        domain="medical",
        labels=LABELS,
        summary="yes/no/maybe over an abstract, 1,000 expert-labelled questions",
        protocol="all 1,000 labelled questions (PQA-L), contexts joined without a heading",
        max_new_tokens=10,
        scored="text",
        positive="yes",
        **ROWS.origin,
    )
    between = ""

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release."""
        for row in ROWS.read(source):
            year = row.get("year")
            yield Question(
                id=f"pubmedqa/{row['id']}",
                question=row["question"],
                context=self.between.join(row["contexts"]),
                gold=row["final_decision"],
                labels=LABELS,
                tags={"year": str(year)} if year else {},
                reasoning=row["long_answer"],
            )

    def prompt(self, question: Question) -> str:
        """The study's: context, question, labels."""
        return context_prompt(question.context, question.question, LABELS)


class TestHalf(PubMedQA):
    """The official test half, asked as lm-evaluation-harness asks it."""

    info = replace(
        PubMedQA.info,
        name="pubmedqa-test",
        summary="yes/no/maybe over an abstract, the official 500 test questions",
        protocol="the official 500 test questions of PQA-L, prompt of lm-evaluation-harness "
        "(Abstract, Question, Answer)",
    )
    between = "\n"
    pool_name = "drawn by seed from the 500 labelled questions outside the test"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test questions in the order of the release."""
        return (q for q in super().questions(source) if _is_test(q))

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The other half."""
        rest = super().questions
        return self.shuffled("rest", source, lambda: (q for q in rest(source) if not _is_test(q)))

    def prompt(self, question: Question) -> str:
        """The harness's."""
        return abstract_prompt(question.context, question.question)


def _is_test(question: Question) -> bool:
    return question.id.removeprefix("pubmedqa/") in _test_ids()
