"""TruthfulQA, the multiple-choice form MC1, with lettered options in an order drawn by seed.

Lin, Hilton and Evans 2022 (arXiv:2109.07958). Hub: truthfulqa/truthful_qa, config
multiple_choice, where the true answer always comes first.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from string import ascii_uppercase
from typing import Any

from resect.record import TaskInfo
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import letter_prompt
from resect.tasks.question import Question, lettered
from resect.tasks.sources import Row, Rows


def _convert(row: Mapping[str, Any], number: int) -> Row:
    targets = row["mc1_targets"]
    pairs = list(zip(targets["choices"], targets["labels"], strict=True))
    return {
        "id": f"truthfulqa-{number:04d}",
        "question": row["question"],
        "best_answer": next((text for text, true in pairs if true), None),
        "incorrect_answers": [text for text, true in pairs if not true],
    }


ROWS = Rows(
    file="truthfulqa.jsonl.gz",
    fields={"id": str, "question": str, "best_answer": str, "incorrect_answers": list},
    hub="truthfulqa/truthful_qa",
    config="multiple_choice",
    split="validation",
    revision="741b8276f2d1982aa3d5b832d3ee81ed3b896490",
    columns={"question": str, "mc1_targets": dict},
    convert=_convert,
)


def _places(seed: int, count: int) -> Iterator[int]:
    """Places for the right one of `count` options, in shuffled blocks that hold each place once.

    So every letter is right equally often, except in an incomplete last block.
    """
    rng = random.Random(f"{seed} places of {count}")
    while True:
        yield from rng.sample(range(count), count)


class TruthfulQA(LabelTask):
    """The one true answer among common misconceptions, two to thirteen options."""

    info = TaskInfo(
        name="truthfulqa",
        kind="label",
        labels=tuple(ascii_uppercase[:13]),
        summary="one true answer among misconceptions (MC1), 817 questions of general knowledge",
        protocol="all 817 questions, the best answer and all incorrect ones (MC1) as two to "
        "thirteen lettered options in an order drawn by seed, in which every place is right "
        "equally often",
        max_new_tokens=5,
        scored="letter",
        domain="general",
        **ROWS.origin,
    )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the release."""
        places: dict[int, Iterator[int]] = {}
        for row in ROWS.read(source):
            options = list(row["incorrect_answers"])
            random.Random(f"{source.seed} {row['id']}").shuffle(options)
            count = len(options) + 1
            place = next(places.setdefault(count, _places(source.seed, count)))
            options.insert(place, row["best_answer"])
            tags = {name: row[name] for name in ("category", "type") if row.get(name)}
            name = row["id"].replace("-", "/")
            yield lettered(name, row["question"], options, ascii_uppercase[place], tags)

    def prompt(self, question: Question) -> str:
        """The study's format for options."""
        return letter_prompt(question.question, question.options or {})
