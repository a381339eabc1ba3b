"""MedHallu, whether a model prefers the true answer to a hallucinated one, and detects those.

Pandit et al. 2025 (arXiv:2502.14302), pqa_labeled: the questions and contexts of PubMedQA's PQA-L,
each with its true answer and one that a language model made up. Hub:
UTAustin-AIHealth/MedHallu; its commit is not pinned, for its full hash is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.question import Question
from resect.tasks.sources import Row, Rows


def _convert(row: Mapping[str, Any], number: int) -> Row:
    known = row["Knowledge"]
    return {
        "id": f"medhallu-{number:04d}",
        "question": row["Question"],
        "contexts": [known] if isinstance(known, str) else known,
        "correct_answer": row["Ground Truth"],
        "hallucinated_answer": row["Hallucinated Answer"],
        "difficulty": row["Difficulty Level"],
        "category": row["Category of Hallucination"],
    }


_TEXTS = ("Question", "Ground Truth", "Hallucinated Answer", "Difficulty Level")

ROWS = Rows(
    file="medhallu_pqal.jsonl.gz",
    fields={
        "id": str,
        "question": str,
        "contexts": list,
        **dict.fromkeys(("correct_answer", "hallucinated_answer", "difficulty", "category"), str),
    },
    hub="UTAustin-AIHealth/MedHallu",
    config="pqa_labeled",
    split="train",
    columns={
        **dict.fromkeys((*_TEXTS, "Category of Hallucination"), str),
        "Knowledge": (list, str),
    },
    convert=_convert,
)


class Pair(NamedTuple):
    """One question with its two answers."""

    name: str
    question: str
    context: str
    true: str
    made_up: str
    tags: Mapping[str, str]


def pairs(source: Source) -> Iterator[Pair]:
    """The pairs in the order of the release."""
    for row in ROWS.read(source):
        name = row["id"].replace("-", "/", 1)
        answers = (row["correct_answer"], row["hallucinated_answer"])
        if answers[0] == answers[1]:
            raise RequestError(
                f"{name}: the hallucinated answer equals the correct one: correct the data file."
            )
        tags = {"difficulty": row["difficulty"], "category": row["category"]}
        yield Pair(name, row["question"], "".join(row["contexts"]), *answers, tags)


class Preference(LabelTask):
    """The true answer or the made-up one, asked in both orders."""

    info = TaskInfo(
        name="medhallu",
        kind="label",
        labels=("A", "B"),
        summary="the true or the hallucinated answer, both orders, 2 x 1,000 questions",
        protocol="pqa_labeled, 1,000 questions with their abstracts, the true and the hallucinated "
        "answer as options A and B, each question in both orders (which are resampled together)",
        max_new_tokens=5,
        scored="letter",
        domain="medical",
        hub=ROWS.hub,
        file=ROWS.file,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """Each question twice: the true answer first, then second."""
        for pair in pairs(source):
            for gold, options in (("A", pair[3:5]), ("B", pair[4:2:-1])):
                yield Question(
                    id=f"{pair.name}/true-{gold}",
                    question=pair.question,
                    context=pair.context,
                    gold=gold,
                    labels=("A", "B"),
                    options=dict(zip("AB", options, strict=True)),
                    tags={**pair.tags, "order": f"true answer is {gold}"},
                    parent=pair.name,
                )

    def prompt(self, question: Question) -> str:
        """Context, question, the two answers, and what is asked of them."""
        lines = [f"{label}. {text}" for label, text in (question.options or {}).items()]
        return "\n".join([
            f"Context: {question.context}",
            f"Question: {question.question}",
            "Which of these answers is correct?",
            *lines,
            "Answer:",
        ])  # fmt: skip


class Detection(LabelTask):
    """Whether an answer is made up: every question with either answer."""

    info = replace(
        Preference.info,
        name="medhallu-detect",
        labels=("yes", "no"),
        summary="is this answer hallucinated, yes or no, 2 x 1,000 question-answer pairs",
        protocol="pqa_labeled, 1,000 questions with their abstracts, each with its true and with "
        "its hallucinated answer (which are resampled together); yes: it is hallucinated",
        max_new_tokens=10,
        scored="text",
        positive="yes",
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """Each question twice: with its true answer (gold no), then with the made-up one (yes)."""
        for pair in pairs(source):
            for gold, answer in (("no", pair.true), ("yes", pair.made_up)):
                yield Question(
                    id=f"{pair.name}/hallucinated-{gold}",
                    question=pair.question,
                    context=f"{pair.context}\nQuestion: {pair.question}\nAnswer: {answer}",
                    gold=gold,
                    labels=("yes", "no"),
                    tags=pair.tags,
                    parent=pair.name,
                )

    def prompt(self, question: Question) -> str:
        """Context, question and answer, and what is asked of it."""
        return (
            f"Context: {question.context}\nDoes the answer claim anything that is false or that "
            "the context does not support?\nHallucinated (yes/no):"
        )
