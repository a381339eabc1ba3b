"""The studies' prompt formats. Their bytes are pinned by tests: a changed blank is another test."""

from __future__ import annotations

from collections.abc import Mapping


def letter_prompt(question: str, options: Mapping[str, str]) -> str:
    """Multiple choice: `Question: ...`, `Options:`, one line each, `Answer:`."""
    lines = [f"Question: {question}", "Options:"]
    lines += [f"{label}. {text}" for label, text in options.items()]
    return "\n".join([*lines, "Answer:"])


def context_prompt(context: str, question: str, labels: tuple[str, ...]) -> str:
    """Reading: `Context: ...`, `Question: ...`, `Answer (yes/no/maybe):`."""
    return f"Context: {context}\nQuestion: {question}\nAnswer ({'/'.join(labels)}):"
