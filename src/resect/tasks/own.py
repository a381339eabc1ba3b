"""A user's own questions, in one JSON Lines file with question, options and answer.

`options` is a list of texts, or an object of labels and texts; `answer` is a label or the text of
one option. `context`, `id`, `tags` and `reasoning` are optional. If all rows have the same
short options (yes, no, maybe), these are the labels; otherwise options get letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from string import ascii_uppercase
from typing import Any, ClassVar

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.tasks import offline
from resect.tasks.contract import LabelTask, Source
from resect.tasks.prompts import context_prompt, letter_prompt
from resect.tasks.question import Question

FORM = '{"question": ..., "options": [...], "answer": ...}'
_WORDS = 3  # the longest option, in words, that can be a label


class Own(LabelTask):
    """The questions of one file."""

    about: ClassVar = TaskInfo(
        name="own:<file.jsonl>",
        kind="label",
        labels=(),
        summary=f"your own questions, one JSON object a line: {FORM}",
        protocol="the questions of a file of the user's own",
        max_new_tokens=10,
    )

    def __init__(self, path: str, name: str | None = None) -> None:
        super().__init__()
        self.path = Path(path).expanduser()
        self.name = name or f"own:{path}"

    @cached_property
    def rows(self) -> list[Question]:
        """The questions; raises `RequestError` for a file that cannot be read as questions."""
        fields: offline.Kinds = {"question": str, "options": (list, dict), "answer": (str, int)}
        records: list[Mapping[str, Any]] = list(offline.lines(self.path, fields))
        if not records:
            raise RequestError(
                f"{self.path} is empty: write one JSON object per line, like {FORM}."
            )
        words = _shared_words(records)
        questions = [
            _question(row, number, words, f"{self.path}, question {number}")
            for number, row in enumerate(records, start=1)
        ]
        seen: dict[str, int] = {}
        for number, question in enumerate(questions, start=1):
            if seen.setdefault(question.id, number) != number:
                raise RequestError(
                    f"{self.path}, question {number}: question {seen[question.id]} already has the "
                    f"id {question.id[4:]!r}."
                )
        return questions

    @cached_property
    def info(self) -> TaskInfo:  # type: ignore[override]  # known once the file is read
        """The description of the task that the file defines."""
        labels = tuple(dict.fromkeys(label for q in self.rows for label in q.labels))
        letters = self.rows[0].options is not None
        return replace(
            self.about,
            name=self.name,
            labels=tuple(sorted(labels)) if letters else labels,
            summary=f"{len(self.rows)} questions of {self.path.name}",
            protocol=f"the {len(self.rows)} questions of {self.path.name}",
            max_new_tokens=5 if letters else 10,
            scored="letter" if letters else "text",
            positive="yes" if "yes" in labels and not letters else None,
            file=self.path.name,
        )

    def questions(self, source: Source) -> Iterator[Question]:
        """The questions in the order of the file."""
        return iter(self.rows)

    def prompt(self, question: Question) -> str:
        """Context if there is one, question, and options or labels."""
        if question.options is None:
            asked = context_prompt(question.context, question.question, question.labels)
            return asked if question.context else asked.removeprefix("Context: \n")
        asked = letter_prompt(question.question, question.options)
        return f"Context: {question.context}\n{asked}" if question.context else asked


def _shared_words(rows: list[Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The options that all rows share if they are short and one is the answer, or None."""
    first = rows[0]["options"]
    if not isinstance(first, list) or any(row["options"] != first for row in rows):
        return None
    texts = tuple(str(text) for text in first)
    plain = all(len(t.split()) <= _WORDS and t.strip() == t != "" for t in texts)
    distinct = len(set(texts)) == len(texts)
    return texts if plain and distinct and all(row["answer"] in texts for row in rows) else None


def _question(
    row: Mapping[str, Any], number: int, words: tuple[str, ...] | None, where: str
) -> Question:
    texts = row["options"]
    if not 2 <= len(texts) <= len(ascii_uppercase):
        raise RequestError(f"{where} has {len(texts)} options: give 2 to {len(ascii_uppercase)}.")
    options: dict[str, str] | None = None
    if words is None:
        labels = tuple(texts) if isinstance(texts, dict) else tuple(ascii_uppercase[: len(texts)])
        values = texts.values() if isinstance(texts, dict) else texts
        options = dict(zip(labels, map(str, values), strict=True))
    else:
        labels = words
    tags = row.get("tags") or {}
    if not isinstance(tags, dict):
        raise RequestError(f"{where}: tags must be an object of names and values.")
    return Question(
        id=f"own/{row.get('id', number)}",
        question=row["question"],
        context=str(row.get("context") or ""),
        gold=_gold(row["answer"], labels, options or {}, where),
        labels=labels,
        options=options,
        tags={str(name): str(value) for name, value in tags.items()},
        reasoning=str(row.get("reasoning") or ""),
    )


def _gold(answer: Any, labels: tuple[str, ...], options: Mapping[str, str], where: str) -> str:
    """The label that `answer` names, directly or by the text of its option."""
    if answer in labels:
        return str(answer)
    named = [label for label, text in options.items() if text == str(answer)]
    if named:
        return named[0]
    hint = ": give the label or the text, not a number" if isinstance(answer, int) else ""
    raise RequestError(
        f"{where}: answer {answer!r} is neither one of {', '.join(labels)} nor the text of an "
        f"option{hint}."
    )
