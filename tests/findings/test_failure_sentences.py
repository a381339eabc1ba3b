"""What is half gone first, in sentences: only what is clear, and the same under every seed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from resect.findings.rows import Abstention, Domains, Race, ReliabilityFirst
from resect.narrative.failure_sentences import failure_sentences
from resect.narrative.phrasing import ModelNames

CALLED = ModelNames({"m": "the specialist"})
SWEEP = {"model": "m", "role": "specialist", "recipe": "magnitude", "seed": 0}
LEAD = Race(
    places={}, first="reliability", by=0.1, low=0.05, high=0.15, steps=2.0, steps_low=1.0,
    steps_high=3.0, share=0.99, clear=True, reason=None,
)  # fmt: skip
GROUNDED = ReliabilityFirst(
    **SWEEP, task="pubmedqa", view="text", metric="grounded", levels=(), race=LEAD
)


def other(row=GROUNDED, metric=None, seed=0, view="text", **lead):
    return replace(
        row, metric=metric or row.metric, seed=seed, view=view, race=replace(row.race, **lead)
    )


CONSISTENCY = other(metric="consistency", first="skill", steps=3.0, steps_low=2.0, steps_high=4.0)
UNCLEAR = other(metric="completeness", clear=False, first=None)


def clauses(races=(), abstention=(), domains=(), called=CALLED):
    rows = SimpleNamespace(reliability_first=races, abstention=abstention, domains=domains)
    return list(failure_sentences(rows, called))


def test_only_what_is_clear_is_told_with_its_lead_above_0():
    assert clauses([GROUNDED, CONSISTENCY, UNCLEAR]) == [
        "on pubmedqa (text) under magnitude, the specialist is only half as good at answering from "
        "the context 2.0 levels [1.0, 3.0] before half of its skill is gone",
        "on pubmedqa (text) under magnitude, the specialist loses half of its skill 3.0 levels "
        "[2.0, 4.0] before it is only half as good at choosing the same option wherever it stands",
    ]


def test_options_are_told_where_no_text_is_clear():
    options = other(view="options")
    assert [text for text in clauses([GROUNDED, options]) if "(options)" in text] == []
    (text,) = clauses([other(clear=False), options])
    assert text.startswith("on pubmedqa (options)")


def test_several_seeds_have_to_agree():
    closer = other(seed=1, steps=1.0, steps_low=0.5, steps_high=1.5)
    (text,) = clauses([GROUNDED, closer])
    assert "under magnitude, the closest of 2 seeds, the specialist" in text
    assert "1.0 levels [0.5, 1.5]" in text
    assert clauses([GROUNDED, other(closer, seed=1, first="skill")]) == []
    assert clauses([GROUNDED, other(closer, seed=1, clear=False, first=None)]) == []


def test_one_that_never_breaks_is_told_so():
    (text,) = clauses([other(steps=None, steps_high=None)], called=ModelNames())
    assert text.endswith(
        "m is only half as good at answering from the context at some level, but keeps more than "
        "half of its skill at every level"
    )


def test_a_metric_that_the_catalogue_lacks_goes_by_its_own_name():
    (text,) = clauses([other(metric="own_metric")])
    assert "half as good at own metric" in text


def test_abstention_and_domains_are_told_over_all_tasks():
    abstention = Abstention(**SWEEP, view="text", tasks={}, levels=(), race=LEAD)
    tasks = {"medical": ("pubmedqa", "mmlu-medicine"), "general": ("mmlu-logic",)}
    domains = Domains(
        **SWEEP, view="text", tasks=tasks, levels=(), difference=None,
        race=replace(LEAD, first="medical"), reason=None,
    )  # fmt: skip
    assert clauses(abstention=[abstention], domains=[domains]) == [
        "under magnitude (text), the specialist is only half as good at abstaining only where "
        "there is no answer 2.0 levels [1.0, 3.0] before half of its skill is gone",
        "under magnitude (text), the specialist loses half of its skill on medical tasks (pubmedqa "
        "and mmlu-medicine) 2.0 levels [1.0, 3.0] before general tasks (mmlu-logic)",
    ]
