"""What the findings mean, in sentences for the person who deploys the model."""

from __future__ import annotations

from resect.findings.rows import Summary, Verdict
from resect.narrative.comparison_sentences import comparison_sentences
from resect.narrative.failure_sentences import failure_sentences
from resect.narrative.phrasing import sentence
from resect.narrative.runtime_sentences import runtime_sentences
from resect.narrative.sweep_sentences import sweep_sentences
from resect.narrative.verdict_sentences import Words, verdict_sentences


def verdict(summary: Summary) -> Verdict:
    """The sentences of a summary, whose own verdict is not read."""
    words = Words.of(summary)
    called = words.models
    sentences = verdict_sentences(summary, words)
    sentences += runtime_sentences(summary, called)
    sentences += comparison_sentences(summary, called)
    sentences += sweep_sentences(summary, called)
    sentences += [sentence(clause) for clause in failure_sentences(summary, called)]
    return Verdict(sentences=tuple(sentences))
