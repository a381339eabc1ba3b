"""The abstracts of PubMedQA without their conclusion, which the model has to write.

Jin et al. 2019 (arXiv:1909.06146), PQA-L, whose long answers are the authors' conclusions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from resect.record import TaskInfo
from resect.tasks import pubmedqa
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question
from resect.tasks.readers import Overlap

ROWS = replace(pubmedqa.ROWS, fields={**pubmedqa.ROWS.fields, "long_answer": str})


class Conclusion(QuestionTask):
    """Write the conclusion of an abstract; copied text is counted."""

    info = TaskInfo(
        name="pubmedqa-conclusion",
        kind="text",
        domain="medical",
        labels=(),
        summary="the conclusion of an abstract, in free text, 1,000 abstracts",
        protocol="all 1,000 abstracts of PQA-L without their conclusion, contexts joined without a "
        "heading, ROUGE-L, token F1 and omission against the authors' conclusion, copied 4-grams "
        "against the abstract",
        max_new_tokens=128,
        stop=("\n\n", "\nAbstract:"),
        primary="rouge_l",
        margin=0.02,
        **ROWS.origin,
    )
    reader = Overlap()
    pool_name = "drawn by seed from the other abstracts"

    def questions(self, source: Source) -> Iterator[Question]:
        """The abstracts in the order of the release."""
        for row in ROWS.read(source):
            yield Question(
                id=f"pubmedqa-conclusion/{row['id']}",
                question=row["question"],
                context="".join(row["contexts"]),
                gold=row["long_answer"],
                tags={"answer": row["final_decision"]},
            )

    def prompt(self, question: Question) -> str:
        """Abstract, the question it asks, and the cue."""
        return f"Abstract: {question.context}\nQuestion: {question.question}\nConclusion:"
