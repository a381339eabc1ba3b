"""Med-HALT, the fake-questions test: questions without an answer, where abstaining is right.

Pal, Umapathi and Sankarasubbu 2023 (arXiv:2307.15343). Hub: openlifescienceai/Med-HALT, config
reasoning_fake. Options that concede defeat count as abstaining too; which they are was found by
wording (`ABSTAINS`), so a few may be wrong.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator, Mapping
from string import ascii_uppercase
from typing import Any

from resect.errors import RequestError
from resect.record import ABSTAIN, TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import letter_prompt
from resect.tasks.question import Question
from resect.tasks.sources import Row, Rows

ABSTAINS = re.compile(r"conced|admit|ignorance|do not know|don.t know|acknowledg|surrender", re.I)
_MOST = 9


def _convert(row: Mapping[str, Any], number: int) -> Row:
    try:
        options = ast.literal_eval(row["options"])
        texts = [str(options[key]) for key in sorted(options, key=int)]
    except (ValueError, SyntaxError, TypeError, AttributeError):
        raise RequestError(
            f"{ROWS.hub} row {number}: its options cannot be read. Give offline files with "
            "--data_dir."
        ) from None
    labels = [ascii_uppercase[i] for i, text in enumerate(texts) if ABSTAINS.search(text)]
    return {
        "id": row["id"],
        "question": row["question"],
        "options": texts,
        "abstain_labels": labels if len(texts) > 1 else [],
        "origin": row["dataset"],
        "subject": row["subject_name"],
    }


ROWS = Rows(
    file="medhalt_fake_questions.jsonl.gz",
    fields={"id": str, "question": str, "options": list, "abstain_labels": list, "origin": str},
    hub="openlifescienceai/Med-HALT",
    config="reasoning_fake",
    split="train",
    revision="d1e8d04295742df7abc485062344fe328e141395",
    columns={"id": str, "question": str, "options": str, "dataset": str},
    convert=_convert,
)


class FakeQuestions(LabelTask):
    """Abstaining is right. Every item has one gold, so only rates are defined here, no skill."""

    info = TaskInfo(
        name="medhalt-fake",
        kind="label",
        labels=(*ascii_uppercase[:_MOST], ABSTAIN),
        summary="questions without an answer: abstaining is right, 1,857 questions",
        protocol="the fake-questions test without the one record that offers no way to abstain "
        "(1,857), lettered options in an order drawn by seed, every option that says 'I do not "
        "know' or concedes defeat counts as abstaining",
        max_new_tokens=5,
        scored="letter",
        domain="medical",
        **ROWS.origin,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release."""
        for row in ROWS.read(source):
            if not row["abstain_labels"]:
                continue
            texts = list(enumerate(row["options"]))
            random.Random(f"{source.seed} {row['id']}").shuffle(texts)
            labels = ascii_uppercase[: len(texts)]
            abstaining = [
                label
                for label, (place, _) in zip(labels, texts, strict=True)
                if ascii_uppercase[place] in row["abstain_labels"]
            ]
            tags = {"origin": row["origin"]}
            tags |= {"subject": row["subject"].lower()} if row.get("subject") else {}
            yield Question(
                id=f"medhalt/{row['id']}",
                question=row["question"],
                gold=ABSTAIN,
                labels=tuple(labels),
                options={label: text for label, (_, text) in zip(labels, texts, strict=True)},
                means=dict.fromkeys(abstaining, ABSTAIN),
                tags=tags,
                shown=abstaining[0],
            )

    def prompt(self, question: Question) -> str:
        """The study's format for options."""
        return letter_prompt(question.question, question.options or {})
