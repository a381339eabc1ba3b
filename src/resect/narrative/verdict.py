"""What the findings mean, in sentences for the person who deploys the model."""

from __future__ import annotations

from resect.catalog import fragment
from resect.findings.rows import CurvePoint, Summary, Verdict
from resect.findings.views import first_view
from resect.narrative.comparison_sentences import comparison_headline, comparison_sentences
from resect.narrative.failure_sentences import failure_sentences
from resect.narrative.phrasing import ModelNames, sentence
from resect.narrative.runtime_sentences import runtime_sentences
from resect.narrative.sweep_sentences import sweep_sentences
from resect.narrative.verdict_sentences import Words, verdict_headline, verdict_sentences


def verdict(summary: Summary) -> Verdict:
    """The headline and the sentences of a summary, whose own verdict is not read."""
    words = Words.of(summary)
    called = words.models
    sentences = verdict_sentences(summary, words)
    sentences += runtime_sentences(summary, called)
    sentences += comparison_sentences(summary, called)
    sentences += sweep_sentences(summary, called)
    sentences += [sentence(clause) for clause in failure_sentences(summary, called)]
    return Verdict(headline=_headline(summary, words), sentences=tuple(sentences))


def _headline(summary: Summary, words: Words) -> str:
    """The answer in one line: what passed; without compression, which model is better intact."""
    answer = verdict_headline(summary)
    if answer:
        return answer
    clauses = [comparison_headline(summary, words.models)]
    clauses = list(filter(None, clauses)) or _intact_alone(summary, words.models)
    return " ".join(map(sentence, clauses)) or _nothing(summary)


def _nothing(summary: Summary) -> str:
    """Why there is nothing to tell, where a warning says so."""
    first = next(iter(summary.warnings), "").rstrip(".")
    why = f": {first}" if first and not summary.curves else ""
    return sentence(f"there is nothing to analyse{why}")


def _intact_alone(summary: Summary, called: ModelNames) -> list[str]:
    """What the intact models do, where nothing was cut and nothing is compared."""
    primary = {task.name: task.primary for task in summary.tasks}
    intact = [point for point in summary.curves if point.level == 0]
    shown = first_view(intact)
    clauses = (_standing(p, called[p.model], primary.get(p.task, "accuracy")) for p in shown)
    return [clause for clause in clauses if clause]


def _standing(point: CurvePoint, model: str, primary: str) -> str | None:
    """What one intact model does on one task: right answers, or the task's own metric."""
    items = f"{point.n} items of {point.task}"
    if point.accuracy is not None:
        ends = f"[{point.accuracy_low:.1%}, {point.accuracy_high:.1%}]"
        return f"{model}, intact, is right on {point.accuracy:.1%} of {items} {ends}"
    estimate = point.metrics.get(primary)
    if estimate is None or estimate.value is None:
        return None
    ends = f"[{estimate.low:.3g}, {estimate.high:.3g}]"
    return f"{model}, intact, has {fragment(primary)} {estimate.value:.3g} {ends} on {items}"
