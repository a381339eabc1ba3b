"""What the specialist learns from and what it is chosen by: training splits only, in two parts.

Held back for every choice are whole claims (HealthVer), articles (PubMedQA), runs of sentences
(entity extraction: the corpora do not mark abstracts) and topics (MedQuAD).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from resect import tasks
from resect.record import Item
from resect.recover.training_data import Example, refuse_overlap
from resect.tasks import medquad
from resect.tasks.contract import QuestionTask, Source
from resect.tasks.question import Question

UNSEEN = ("pubmedqa-test", "healthver", "bioasq-yesno", "ncbi-disease", "bc5cdr", "medquad")
"""The tasks whose test items must not be among the examples."""
EXTRACTION = ("ncbi-disease", "bc5cdr")
SENTENCES = 320
"""Sentences at the end of a corpus that are held back."""
ANSWER_LABELS = ("yes", "no")


@dataclass
class Part:
    """Questions of one part, by the name of the task that asks them."""

    questions: dict[str, list[Question]] = field(default_factory=dict)


def task(name: str) -> QuestionTask:
    """A task of resect's that makes items of questions."""
    return cast(QuestionTask, tasks.get(name))


def parts(source: Source) -> tuple[Part, Part]:
    """What is trained on and what is held back, without any test item (checked)."""
    train, held = Part(), Part()
    for name, every, apart in _tasks(source):
        train.questions[name] = [q for q in every if not apart(q)]
        held.questions[name] = [q for q in every if apart(q)]
    refuse(UNSEEN, [train, held], source)
    return train, held


def _tasks(source: Source) -> Iterator[tuple[str, list[Question], Callable[[Question], bool]]]:
    """Task, its questions outside the test split, and which of them are held back."""
    half = task("pubmedqa-test")
    rest = list(half.pool(next(iter(half.questions(source))), source))
    articles = sorted(rest, key=lambda q: q.id)
    yield "pubmedqa-test", articles, lambda q: in_share(5, q.id)
    names = {q.id for q in articles}
    whole = [q for q in task("pubmedqa").questions(source) if q.id in names]
    yield "pubmedqa", whole, lambda q: in_share(5, q.id)
    yield "bioasq-yesno", list(_yes_or_no(articles)), lambda q: in_share(5, q.parent or "")
    pairs = task("healthver")
    claims = sorted(pairs.pool(next(iter(pairs.questions(source))), source), key=lambda q: q.id)
    yield "healthver", claims, lambda q: in_share(7, q.question)
    for name in EXTRACTION:
        yield name, *_sentences(name, source)
    yield "medquad", _explained(source), lambda q: in_share(20, q.tags["focus"])


def in_share(count: int, name: str) -> bool:
    """Whether a name falls into the held-back part, by its hash."""
    folded = " ".join(name.casefold().split())
    return int(hashlib.sha256(f"held back {folded}".encode()).hexdigest(), 16) % count == 0


def _yes_or_no(articles: Iterable[Question]) -> Iterator[Question]:
    """Articles with a yes or a no, asked as BioASQ's questions: over the conclusion, and over all.

    A conclusion is what BioASQ's snippets mostly are: the sentences that answer.
    """
    for q in articles:
        if q.gold in ANSWER_LABELS:
            asked = replace(q, labels=ANSWER_LABELS, parent=q.id)
            yield replace(asked, id=f"{q.id}/conclusion", context=q.reasoning)
            yield replace(asked, id=f"{q.id}/whole")


def _sentences(name: str, source: Source) -> tuple[list[Question], Callable[[Question], bool]]:
    """Train sentences without those that the test has too; the last ones are held back.

    The sentences that stand as worked examples in every prompt are not held back.
    """
    asked = task(name)
    test = list(asked.questions(source))
    shown = {q.id for q in asked.examples(test[0], source)}
    known = {_words(q.context) for q in test}
    pool = sorted(asked.pool(test[0], source), key=lambda q: int(q.id.rpartition("/")[2]))
    every = [q for q in pool if _words(q.context) not in known]
    last = {q.id for q in every[-SENTENCES:]} - shown
    return every, lambda q: q.id in last


def _explained(source: Source) -> list[Question]:
    """MedQuAD outside the held-out topics, equal pairs once, without test questions."""
    known = {_words(q.question) for q in task("medquad").questions(source)}
    questions: dict[tuple[str, str], Question] = {}
    for row in medquad.ROWS.read(source):
        fresh = not medquad.held_out(row["focus"]) and _words(row["question"]) not in known
        if fresh and row["answer"].strip():
            question = Question(
                id=f"medquad/{row['id']}",
                question=row["question"],
                gold=row["answer"],
                tags={"focus": row["focus"]},
            )
            questions.setdefault((row["question"], row["answer"]), question)
    return list(questions.values())


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def refuse(names: Sequence[str], both: Sequence[Part], source: Source) -> None:
    """Raises `RequestError` where a test item of these tasks is among the questions."""
    bare = replace(source, num_fewshot=0, apply_chat_template=False)
    examples = []
    for part in both:
        for asked, questions in part.questions.items():
            made = task(asked)
            for q in questions:
                words = q.question or q.context  # a sentence: its words are all it asks
                examples.append(Example(made.item(q, bare).prompt, q.gold, words))
    for name in names:
        refuse_overlap(examples, map(_sentence_asked, task(name).items(bare)), name)


def _sentence_asked(item: Item) -> Item:
    """An item of entity extraction with its sentence as its question."""
    return item if item.question else replace(item, question=item.context)
