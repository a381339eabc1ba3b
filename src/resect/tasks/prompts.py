"""The prompt formats, and how examples, instructions and chat turns are added to a question.

Tests pin their bytes: one changed space makes another benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Shot = tuple[str, str]
"""A worked example: what is asked, and the text that answers it (with its leading blank)."""

Turn = tuple[str, str]
"""Role (system, user, assistant) and text."""


def letter_prompt(question: str, options: Mapping[str, str]) -> str:
    """Multiple choice: `Question: ...`, `Options:`, one line each, `Answer:`."""
    return "\n".join([f"Question: {question}", "Options:", *_lines(options), "Answer:"])


def context_prompt(context: str, question: str, labels: tuple[str, ...]) -> str:
    """Reading: `Context: ...`, `Question: ...`, `Answer (yes/no/maybe):`."""
    return f"Context: {context}\nQuestion: {question}\nAnswer ({'/'.join(labels)}):"


def abstract_prompt(context: str, question: str) -> str:
    """Reading as lm-evaluation-harness asks PubMedQA: `Abstract: ...`, question, `Answer:`."""
    return f"Abstract: {context}\nQuestion: {question}\nAnswer:"


def mmlu_prompt(question: str, options: Mapping[str, str]) -> str:
    """MMLU as its authors and lm-evaluation-harness ask it: question, options, `Answer:`."""
    return "\n".join([question.strip(), *_lines(options), "Answer:"])


def exam_prompt(question: str, options: Mapping[str, str], heading: str = "") -> str:
    """Exam questions as lm-evaluation-harness asks them, under a heading where it has one."""
    top = [f"Question: {question}", *([heading] if heading else [])]
    return "\n".join([*top, *_lines(options), "Answer:"])


def completion(before: Sequence[str], shots: Sequence[Shot], prompt: str) -> str:
    """A text to go on with: instruction and description, worked examples, then the question.

    Parts are set apart by an empty line, as in lm-evaluation-harness.
    """
    parts = [part.rstrip() for part in before if part.strip()]
    return "\n\n".join([*parts, *(asked + answer for asked, answer in shots), prompt])


def conversation(before: Sequence[str], shots: Sequence[Shot], prompt: str) -> tuple[Turn, ...]:
    """The same as turns for a chat template: a system turn, then each example as two turns."""
    system = "\n\n".join(part.rstrip() for part in before if part.strip())
    turns = [("system", system)] if system else []
    for asked, answer in shots:
        turns += [("user", asked), ("assistant", answer.strip())]
    return (*turns, ("user", prompt))


def _lines(options: Mapping[str, str]) -> list[str]:
    return [f"{label}. {text}" for label, text in options.items()]
