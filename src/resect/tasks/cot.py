"""`TASK:cot`: the same questions, with reasoning before the answer.

Zero-shot reasoning after Kojima et al. 2022 (arXiv:2205.11916); the prompt says what the final
answer looks like. Only the final answer is read. A text cut off before it is `truncated`, an
endless loop is `degenerate` (both end by length).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from resect.errors import RequestError
from resect.record import TaskInfo
from resect.tasks.contract import QuestionTask, Source, Task
from resect.tasks.question import Question
from resect.tasks.readers import REASONED, Final

BUDGET = 512
"""Token limit for reasoning and answer together; `--max_new_tokens` overrides it."""

STOP = ("\nQuestion:", "\nContext:", "\nAbstract:")
"""Where a base model would continue with a question of its own."""


class Reasoned(QuestionTask):
    """A label or number task with reasoning before its answer; text view only."""

    def __init__(self, inner: QuestionTask) -> None:
        super().__init__()
        self.inner = inner
        self.reader = Final(inner.reader)
        self.pool_name = f"with their reasoning, {inner.pool_name}"

    @cached_property
    def info(self) -> TaskInfo:  # type: ignore[override]  # as late as the inner task's
        """The task's, with another name, budget and protocol."""
        inner = self.inner.info
        return replace(
            inner,
            name=f"{inner.name}:cot",
            summary=f"{inner.summary}; with reasoning",
            protocol=f"{inner.protocol}, reasoning asked for before the answer",
            max_new_tokens=BUDGET,
            stop=(*inner.stop, *STOP),
        )

    def questions(self, source: Source) -> Iterable[Question]:
        """The task's own."""
        return self.inner.questions(source)

    def limited(self, questions: Iterable[Question], limit: int | None) -> Iterator[Question]:
        """As the task does."""
        return self.inner.limited(questions, limit)

    def prompt(self, question: Question) -> str:
        """The task's prompt, its last line (the cue) replaced by what is asked for here."""
        body = self.inner.prompt(question).rpartition("\n")[0]
        among = f"one of {', '.join(question.labels)}" if question.labels else "the number alone"
        return f'{body}\nThink step by step, then end with "Final answer:" and {among}.\nReasoning:'

    def description(self, question: Question) -> str:
        """The task's own."""
        return self.inner.description(question)

    def pool(self, question: Question, source: Source) -> Sequence[Question]:
        """The task's own, as far as they come with reasoning."""
        return [q for q in self.inner.pool(question, source) if q.reasoning.strip()]

    def shown(self, question: Question) -> str:
        """Reasoning, then the final answer."""
        answer = (question.shown if question.labels else "") or question.gold
        return f" {question.reasoning.strip()}\nFinal answer: {answer}"

    def scoring(self) -> str:
        """No options view: before the reasoning there is nothing to score."""
        return "; read for its final answer, a text that the budget cut off before it is truncated"


def reasoned(inner: Task, name: str) -> Reasoned:
    """`inner` with reasoning; `RequestError` for a task whose answers are no labels or numbers."""
    plain = isinstance(inner, QuestionTask) and not isinstance(inner, Reasoned)
    if not isinstance(inner, QuestionTask) or not plain or inner.reader.kind not in REASONED:
        raise RequestError(
            f"{name} has no :cot form: only label and number tasks with resect's own prompts have "
            "one."
        )
    return Reasoned(inner)
