"""What is half gone first, in sentences: only what is clear, and the same under every seed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from resect.findings.rows import Abstention, DomainRace, Domains, ReliabilityFirst, UtilityRace
from resect.narrative.failure_sentences import failure_sentences
from resect.narrative.phrasing import ModelNames

CALLED = ModelNames({"m": "the specialist"})
SWEEP = {"model": "m", "role": "specialist", "recipe": "magnitude", "seed": 0}
LEAD = {"by": 0.1, "low": 0.05, "high": 0.15, "share": 0.99, "reason": None}
STEPS = {"steps": 2.0, "steps_low": 1.0, "steps_high": 3.0, "clear": True}
GROUNDED = ReliabilityFirst(
    **SWEEP, **LEAD, **STEPS, task="pubmedqa", view="text", metric="grounded", levels=(),
    utility=None, reliability=None, first="reliability",
)  # fmt: skip
CONSISTENCY = replace(
    GROUNDED, metric="consistency", first="utility", steps=-3.0, steps_low=-4.0, steps_high=-2.0
)
UNCLEAR = replace(GROUNDED, metric="completeness", clear=False, first=None)


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
    options = replace(GROUNDED, view="options")
    assert [text for text in clauses([GROUNDED, options]) if "(options)" in text] == []
    (text,) = clauses([replace(GROUNDED, clear=False), options])
    assert text.startswith("on pubmedqa (options)")


def test_several_seeds_have_to_agree():
    closer = replace(GROUNDED, seed=1, steps=1.0, steps_low=0.5, steps_high=1.5)
    (text,) = clauses([GROUNDED, closer])
    assert "under magnitude, the closest of 2 seeds, the specialist" in text
    assert "1.0 levels [0.5, 1.5]" in text
    assert clauses([GROUNDED, replace(closer, first="utility")]) == []
    assert clauses([GROUNDED, replace(closer, clear=False, first=None)]) == []


def test_one_that_never_breaks_is_told_so():
    (text,) = clauses([replace(GROUNDED, steps=None, steps_high=None)], called=ModelNames())
    assert text.endswith(
        "m is only half as good at answering from the context at some level, but keeps more than "
        "half of its skill at every level"
    )


def test_a_metric_that_the_catalogue_lacks_goes_by_its_own_name():
    (text,) = clauses([replace(GROUNDED, metric="own_metric")])
    assert "half as good at own metric" in text


def test_abstention_and_domains_are_told_over_all_tasks():
    race = UtilityRace(**LEAD, **STEPS, first="reliability", utility=None, reliability=None)
    abstention = Abstention(**SWEEP, view="text", tasks={}, levels=(), first=race)
    tasks = {"medical": ("pubmedqa", "mmlu-medicine"), "general": ("mmlu-logic",)}
    lead = DomainRace(**LEAD, **STEPS, first="medical", medical=None, general=None)
    domains = Domains(
        **SWEEP, view="text", tasks=tasks, levels=(), difference=None, first=lead, reason=None
    )
    assert clauses(abstention=[abstention], domains=[domains]) == [
        "under magnitude (text), the specialist is only half as good at abstaining only where "
        "there is no answer 2.0 levels [1.0, 3.0] before half of its skill is gone",
        "under magnitude (text), the specialist loses half of its skill on medical tasks (pubmedqa "
        "and mmlu-medicine) 2.0 levels [1.0, 3.0] before general tasks (mmlu-logic)",
    ]
