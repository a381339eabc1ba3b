"""Examples as token rows, and the batches of each step: a function of the seed and the step alone.

Prompts are those that `resect.ask` renders for the tasks. Only answers are learnt. Sentences of
entity extraction stand eight in a conversation, each with its own answer: asked with four worked
examples, a sentence would cost six times the tokens.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from resect.ask.tokenize import rendered
from resect.record import Item
from resect.tasks import prompts
from resect.tasks.contract import Source
from resect.tasks.question import Question
from tools.smollm2.material import EXTRACTION, Part, task

END = "<|im_end|>"
TOGETHER = 8
"""Sentences in one conversation."""
PLAIN = 8
"""One in so many label questions is asked as plain completion."""
LABEL, TEXT = 3.0, 0.1
"""Weights of a token of a label and of a long answer; a mention's weighs 1."""
EXPLAINED = 1500
"""Long answers in an epoch: they are many, and their lane is slow."""
SHORT = 160
"""Tokens of a long answer that are learnt."""


class Row(NamedTuple):
    """Token ids (T,) and what each weighs in the loss (T,), 0 for what is only read."""

    ids: list[int]
    weights: list[float]


class Lane(NamedTuple):
    """Rows of one length: `turns` of them come in every `every`-th step."""

    name: str
    turns: int
    every: int


LANES = (
    Lane("sentences", 2, 1),
    Lane("claims", 2, 1),
    Lane("articles", 1, 1),
    Lane("explained", 1, 4),
)
_ASKED = {
    "claims": ("healthver",),
    "articles": ("pubmedqa-test", "pubmedqa", "bioasq-yesno"),
    "explained": ("medquad",),
}


class Batches:
    """The batches of every step. `size` bounds the padded tokens of one."""

    def __init__(
        self, part: Part, tokenizer: PreTrainedTokenizerBase, source: Source, seed: int, size: int
    ) -> None:
        self.part, self.tokenizer, self.source = part, tokenizer, source
        self.seed, self.size = seed, size
        self.epoch = lru_cache(maxsize=2 * len(LANES))(self._epoch)
        self.begins: dict[str, list[int]] = {lane.name: [0] for lane in LANES}

    def of(self, step: int) -> list[list[Row]]:
        """The batches of a step, largest first."""
        batches: list[list[Row]] = []
        for lane in LANES:
            if step % lane.every == 0:
                first = step // lane.every * lane.turns
                batches += [self._nth(lane.name, first + turn) for turn in range(lane.turns)]
        return sorted(batches, key=lambda rows: -len(rows) * max(len(row.ids) for row in rows))

    def _nth(self, lane: str, number: int) -> list[Row]:
        begins = self.begins[lane]
        while begins[-1] <= number:
            begins.append(begins[-1] + len(self.epoch(lane, len(begins) - 1)))
        at = next(i for i, (low, high) in enumerate(pairwise(begins)) if low <= number < high)
        return self.epoch(lane, at)[number - begins[at]]

    def _epoch(self, lane: str, number: int) -> list[list[Row]]:
        rng = random.Random(f"{self.seed} {lane} {number}")
        rows = list(self._rows(lane, rng))
        rng.shuffle(rows)
        rows.sort(key=lambda row: len(row.ids) // 16)
        batches: list[list[Row]] = []
        for row in rows:
            if batches and (len(batches[-1]) + 1) * len(row.ids) <= self.size:
                batches[-1].append(row)
            else:
                batches.append([row])
        rng.shuffle(batches)
        return batches

    def _rows(self, lane: str, rng: random.Random) -> Iterator[Row]:
        if lane == "sentences":
            for name in EXTRACTION:
                yield from self._conversations(name, rng)
            return
        for name in _ASKED[lane]:
            questions = self.part.questions[name]
            if lane == "explained":
                some = rng.sample(questions, min(EXPLAINED, len(questions)))
                yield from (self._explained(name, q) for q in some)
            else:
                if name == "bioasq-yesno":
                    claims = self.part.questions["healthver"]
                    questions = [*questions, *filter(None, map(as_question, claims))]
                counts = Counter(q.gold for q in questions)
                for q in questions:
                    weight = LABEL * (len(questions) / len(counts) / counts[q.gold]) ** 0.5
                    yield self._labelled(name, q, weight, rng.randrange(PLAIN) == 0)

    def _labelled(self, name: str, question: Question, weight: float, plain: bool) -> Row:
        made = task(name)
        item = made.item(question, self.source)
        answer = made.shown(question)
        if plain:
            return self.row(item.prompt + answer + END, [(len(item.prompt), weight)])
        text = rendered(self.tokenizer, item)
        return self.row(text + answer.strip() + END, [(len(text), weight)])

    def _explained(self, name: str, question: Question) -> Row:
        item = task(name).item(question, self.source)
        text = rendered(self.tokenizer, item)
        row = self.row(text + question.gold.strip() + END, [(len(text), TEXT)])
        read = row.weights.count(0.0)
        return Row(row.ids[: read + SHORT], row.weights[: read + SHORT])

    def _conversations(self, name: str, rng: random.Random) -> Iterator[Row]:
        questions = list(self.part.questions[name])
        rng.shuffle(questions)
        for at in range(0, len(questions), TOGETHER):
            yield self._conversation(name, questions[at : at + TOGETHER])

    def _conversation(self, name: str, questions: Sequence[Question]) -> Row:
        """Every sentence as it is asked after the ones before it, as its worked examples."""
        made = task(name)
        shots = [(made.prompt(q), made.shown(q)) for q in questions]
        before = ("", made.description(questions[0]))
        text, spans = "", []
        for number, (asked, answer) in enumerate(shots):
            turns = prompts.conversation(before, shots[:number], asked)
            begun = rendered(self.tokenizer, Item(id=name, prompt=asked, gold=None, turns=turns))
            if not begun.startswith(text):
                raise ValueError("the chat template rewrites what went before")
            spans.append((len(begun), 1.0))
            text = begun + answer.strip() + END
        return self.row(text, spans)

    def row(self, text: str, answers: Sequence[tuple[int, float]]) -> Row:
        """A text to tokens; an answer goes from its place to the next end of turn, included."""
        read = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        places = [begin for begin, _ in read.offset_mapping]
        weights = [0.0] * len(places)
        for begin, weight in answers:
            end = text.index(END, begin)
            inside = [i for i, place in enumerate(places) if begin <= place <= end]
            if places[inside[0]] != begin:
                raise ValueError(f"no token begins with the answer in {text[begin - 20 : end]!r}")
            for i in inside:
                weights[i] = weight
            weights[inside[-1]] = min(weight, 1.0)  # the end is soon learnt
        return Row(list(read.input_ids), weights)


def as_question(pair: Question) -> Question | None:
    """A claim that the evidence supports or refutes as a question of yes or no."""
    gold = {"Supports": "yes", "Refutes": "no"}.get(pair.gold)
    if gold is None:
        return None
    claim = pair.question.strip().rstrip(".")
    if claim[1:2].islower():  # no abbreviation
        claim = claim[0].lower() + claim[1:]
    return Question(
        id=f"{pair.id}/question",
        question=f"Is it true that {claim}?",
        context=pair.context,
        gold=gold,
        labels=("yes", "no"),
    )
