"""The task contract: questions, the items made of them, and the reader of the answers. No torch.

A task has an `info` (`TaskInfo`), `items(source)`, `describe(source)` and a `reader`. Most tasks
inherit from `QuestionTask`: they define questions and prompts, and it adds instructions, examples
and chat turns. Label tasks inherit from `LabelTask`, whose reader is `resect.parse`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from resect.errors import RequestError
from resect.record import Item, Reading, Stopped, TaskInfo
from resect.tasks import prompts, readers
from resect.tasks.question import Question, length, same
from resect.tasks.readers import Reader
from resect.tasks.variants import variants


@dataclass(frozen=True)
class Source:
    """Where items come from, and how they are asked; the same for every task of a study.

    Offline files in `data_dir` or the hub; the first `limit` items. `num_fewshot` worked examples
    (None: each task's own number), drawn by `seed`; `apply_chat_template` asks in the turns of
    the model's own template; `system_instruction` stands before everything; `max_new_tokens`
    replaces the budget of every task; label tasks ask the `variants` of their questions too.
    `token_starts` says where in a text the tokens of the study's first model begin.
    """

    data_dir: Path | None = None
    limit: int | None = None
    seed: int = 0
    num_fewshot: int | None = None
    apply_chat_template: bool = False
    system_instruction: str | None = None
    max_new_tokens: int | None = None
    variants: tuple[str, ...] = ()
    token_starts: Callable[[str], list[int]] | None = None


class Task(Protocol):
    """What the rest of resect uses of a task."""

    @property
    def info(self) -> TaskInfo:
        """A description of the task, with the part of its protocol that no option changes."""
        ...

    @property
    def reader(self) -> Reader:
        """The reader of its answers, one of `resect.tasks.readers`; `describe` names it."""
        ...

    def items(self, source: Source) -> list[Item]:
        """The items in their fixed order; raises `RequestError` if the data is not available."""
        ...

    def describe(self, source: Source) -> TaskInfo:
        """`info` with the whole protocol: few-shots, form and decoding as `source` asks."""
        ...

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """How the reader reads `text` as an answer to `item`; never raises."""
        ...

    def training(self, source: Source) -> Iterator[str]:
        """Training texts, none of which is an item; raises `RequestError` if there are none."""
        ...


class QuestionTask:
    """A task that turns questions into items: one prompt each, ending with a cue line.

    A subclass defines `info` (its `protocol` names split and prompt; `describe` adds the rest),
    `reader`, `questions` and `prompt`; `choices` if it has an options view; `num_fewshot` if the
    answer format has to be shown; and `pool` with `pool_name` if worked examples do not come from
    the questions themselves.
    """

    info: TaskInfo
    reader: Reader
    num_fewshot = 0
    pool_name = "drawn by seed from the other questions of the task"

    def __init__(self) -> None:
        self._pools: dict[tuple[str, Source], list[Question]] = {}

    def questions(self, source: Source) -> Iterable[Question]:
        """Every question in the fixed order of the release."""
        raise NotImplementedError

    def prompt(self, question: Question) -> str:
        """The question as a prompt; its last line asks for the answer."""
        raise NotImplementedError

    def choices(self, question: Question) -> tuple[str, ...]:
        """The continuations whose log-likelihoods are compared, one per label; may be empty."""
        return ()

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """How `text` answers `item`."""
        return self.reader.read(text, item, stopped)

    def description(self, question: Question) -> str:
        """The text before worked examples and question."""
        return ""

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The worked examples for `question`, in order of use."""
        return self.shuffled("", source, lambda: self.questions(source))

    def shuffled(
        self, name: str, source: Source, make: Callable[[], Iterable[Question]]
    ) -> list[Question]:
        """A pool in seeded order, cached."""
        if (name, source) not in self._pools:
            questions = list(make())
            random.Random(f"{source.seed} few-shot").shuffle(questions)
            self._pools[name, source] = questions
        return self._pools[name, source]

    def limited(self, questions: Iterable[Question], limit: int | None) -> Iterator[Question]:
        """The first `limit` questions; a task with several parts divides them among the parts."""
        return islice(questions, limit)

    def items(self, source: Source) -> list[Item]:
        """The questions as items, with worked examples, in the format asked for.

        Of questions with the same words, the first is the parent of the others. Variants come
        last, each with its question as its parent.
        """
        first: dict[str, str] = {}
        asked = []
        for question in self.limited(self.questions(source), source.limit):
            name = first.setdefault(self.prompt(question), question.id)
            if name != question.id and question.parent is None:
                question = replace(question, parent=name)
            asked.append(question)
        items = [self.item(question, source) for question in asked]
        again = source.variants if self.info.kind == "label" else ()
        for variant, question, changed in variants(asked, again, source.seed):
            item = self.item(changed, source)
            name = f"{question.id}~{variant}"
            items.append(replace(item, id=name, parent=question.id, variant=variant))
        return items

    def item(self, question: Question, source: Source) -> Item:
        """One question as an item; variants of a question become items here too."""
        before = (source.system_instruction or "", self.description(question))
        shots = [(self.prompt(q), self.shown(q)) for q in self.examples(question, source)]
        asked, choices = self.prompt(question), self.choices(question)
        turns: tuple[prompts.Turn, ...] = ()
        if source.apply_chat_template:
            turns = prompts.conversation(before, shots, asked)
            choices = tuple(choice.removeprefix(" ") for choice in choices)
        return Item(
            id=question.id,
            prompt=prompts.completion(before, shots, asked),
            gold=question.gold,
            labels=question.labels,
            choices=choices,
            options=question.options,
            question=question.question,
            tags={"length": length(asked), **question.tags},
            parent=question.parent,
            means=question.means,
            turns=turns,
            context=question.context,
        )

    def shown(self, question: Question) -> str:
        """The answer of a worked example, with its leading space."""
        return f" {question.shown or question.gold}"

    def shots(self, source: Source) -> int:
        """The number of worked examples: as asked for, or the default of the task."""
        return self.num_fewshot if source.num_fewshot is None else source.num_fewshot

    def examples(self, question: Question, source: Source) -> list[Question]:
        """The worked examples of a question: the same for all that share a pool, never itself."""
        wanted = self.shots(source)
        if not wanted:
            return []
        others = (q for q in self.pool(question, source) if not same(q, question))
        examples = list(islice(others, wanted))
        if len(examples) < wanted:
            raise RequestError(
                f"{self.info.name} has {len(examples)} worked examples for {question.id}, not "
                f"the {wanted} asked for: give a smaller --num_fewshot."
            )
        return examples

    def training(self, source: Source) -> Iterator[str]:
        """The worked examples of other splits, with answers; some tasks have none."""
        asked = list(self.questions(source))
        seen = set(map(self.prompt, asked))
        before, pool = len(seen), None
        for question in asked:
            last, pool = pool, self.pool(question, source)
            for other in () if pool is last else pool:
                prompt = self.prompt(other)
                if prompt not in seen:
                    seen.add(prompt)
                    yield prompt + self.shown(other)
        if len(seen) == before:
            raise RequestError(
                f"{self.info.name} has no training texts, because it asks all of its questions: "
                "name a text file instead."
            )

    def describe(self, source: Source) -> TaskInfo:
        """`info` with the complete protocol in one sentence, and the token limit asked for."""
        info = replace(self.info, reader=self.reader.name)
        return described(info, source, self.shots(source), self.pool_name, self.scoring())

    def scoring(self) -> str:
        """The end of the protocol: how answers are scored."""
        return ""


class LabelTask(QuestionTask):
    """A task whose answer is one of a set of labels (yes/no/maybe, letters)."""

    reader = readers.Label()

    def choices(self, question: Question) -> tuple[str, ...]:
        """The labels themselves."""
        return tuple(f" {label}" for label in question.labels)

    def scoring(self) -> str:
        """What the options view compares."""
        what = {
            "letter": "the letters",
            "text": "the answers' texts",
            "text-normalised": "the answers' texts, each divided by its bytes",
        }
        return f"; options view: log-likelihood of {what[self.info.scored]}"


def chosen(item: Item, scores: Sequence[float] | None, scored: str) -> str | None:
    """What the label with the best score counts as, or None if a score is not finite.

    `text-normalised` divides by the bytes of the choice, without its leading space.
    """
    if not scores or not all(map(math.isfinite, scores)):
        return None
    values = list(scores)
    if scored == "text-normalised" and item.choices:
        sizes = [len(choice.removeprefix(" ").encode()) or 1 for choice in item.choices]
        values = [score / size for score, size in zip(scores, sizes, strict=True)]
    return readers.counted(item, item.labels[max(range(len(values)), key=values.__getitem__)])


def described(info: TaskInfo, source: Source, shots: int, pool: str, scoring: str) -> TaskInfo:
    """`info` with examples, format, token limit and scoring in its protocol, as `source` asks."""
    budget = source.max_new_tokens or info.max_new_tokens
    parts = [
        info.protocol,
        f"{shots}-shot ({pool})" if shots else "zero-shot",
        "chat template of the model" if source.apply_chat_template else "plain completion",
        *(["with a system instruction"] if source.system_instruction else []),
        f"at most {budget} greedy tokens",
    ]
    if source.variants and info.kind == "label":
        parts.append(f"asked again {' and '.join(source.variants)} as far as that can be")
    return replace(info, protocol=", ".join(parts) + scoring, max_new_tokens=budget)
