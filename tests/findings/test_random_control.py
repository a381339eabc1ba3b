"""A cut that is worse than the same cut at random is called so."""

from __future__ import annotations

from types import SimpleNamespace

from resect.findings.random_control import worse_than_random
from resect.findings.rows import StudyRecipe

RECIPES = [
    StudyRecipe(name="nodes", levels=(0.1,), control="neurons,criterion=random"),
    StudyRecipe(name="neurons,criterion=random", levels=(0.1,)),
]


def point(recipe, perplexity=None, low=None, high=None, **changed):
    metrics = {} if perplexity is None else {"perplexity": SimpleNamespace(value=perplexity)}
    middle = None if low is None else (low + high) / 2
    fields = {"model": "m", "task": "t", "view": "options", "level": 0.1, **changed}
    return SimpleNamespace(
        recipe=recipe, metrics=metrics, accuracy=middle, accuracy_low=low, accuracy_high=high,
        **fields,
    )  # fmt: skip


def test_perplexity_is_compared_as_it_is():
    random = point("neurons,criterion=random", 60.0)
    (line,) = worse_than_random(RECIPES, [point("nodes", 9760.0), random])
    assert line == (
        "m, nodes at level 0.1 on t (options): worse than the random control, perplexity 9,760 "
        "against 60."
    )
    assert not worse_than_random(RECIPES, [point("nodes", 32.0), random])
    assert not worse_than_random(RECIPES, [point("nodes", 9760.0, level=0.2), random])
    assert not worse_than_random(RECIPES, [point("nodes", 9760.0, model="other"), random])


def test_accuracy_is_compared_where_the_intervals_do_not_meet():
    random = point("neurons,criterion=random", low=0.5, high=0.6)
    assert len(worse_than_random(RECIPES, [point("nodes", low=0.2, high=0.3), random])) == 1
    assert not worse_than_random(RECIPES, [point("nodes", low=0.4, high=0.52), random])
