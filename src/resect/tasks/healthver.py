"""HealthVer: claims on COVID-19 against sentences of evidence.

Sarrouti et al. 2021 (Findings of EMNLP, healthver). The copy on the hub
(dwadden/healthver_entailment) has other units and needs a script, so it is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.question import Question
from resect.tasks.sources import Rows

LABELS = ("Supports", "Refutes", "Neutral")

ROWS = Rows(
    file="healthver.jsonl.gz",
    fields={"id": str, "claim": str, "evidence": str, "label": str, "split": str},
)


class HealthVer(LabelTask):
    """Whether the evidence supports or refutes a claim, or neither."""

    info = TaskInfo(
        name="healthver",
        kind="label",
        labels=LABELS,
        summary="does the evidence support or refute a claim, 1,823 test pairs",
        protocol="test split (1,823 pairs of claim and evidence; pairs that stand in it twice are "
        "resampled together)",
        max_new_tokens=10,
        scored="text",
        positive="Refutes",
        domain="medical",
        file=ROWS.file,
    )
    pool_name = "drawn by seed from the dev split"

    def questions(self, source: Source) -> Iterator[Question]:
        """The test pairs in the order of the release."""
        return _pairs(source, "test")

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The dev pairs."""
        return self.shuffled("dev", source, lambda: _pairs(source, "dev"))

    def prompt(self, question: Question) -> str:
        """Evidence, claim, labels."""
        return (
            f"Evidence: {question.context}\nClaim: {question.question}\n"
            "Does the evidence support the claim, refute it, or neither (neutral)?\n"
            f"Answer ({'/'.join(LABELS)}):"
        )


def _pairs(source: Source, split: str) -> Iterator[Question]:
    for row in ROWS.read(source):
        if row["split"] == split:
            yield Question(
                id=row["id"].replace("-", "/"),
                question=row["claim"],
                context=row["evidence"],
                gold=row["label"],
                labels=LABELS,
                tags={"topic": row["question"]} if row.get("question") else {},
            )
