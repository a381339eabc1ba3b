"""Recipes as text: blanks around the signs make no difference, and names of files stay whole."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

from resect.spec import Recipe

if WHEN_RUN:
    from resect.running import request


@pytest.mark.parametrize("text", ["nodes:0.1+bnb-nf4", "nodes:0.1 +bnb-nf4", "nodes:0.1 + bnb-nf4"])
def test_blanks_around_a_plus_make_no_difference(text):
    assert Recipe.of(steps=text).name == "nodes:0.1 + bnb-nf4"


def test_a_plus_in_the_name_of_a_file_stays():
    assert Recipe.of(steps="lora,data=a+b.jsonl,lr=1e+3").steps[0].options["data"] == "a+b.jsonl"


def test_methods_may_be_separated_by_commas():
    asked = request.study(
        None, smoke=False, models={"base": "clinic:base"},
        methods=["magnitude,wanda:0.5,scope=layer,nodes+bnb-nf4"], levels="0.5",
        tasks=["clinic-logic"], every_model={}, calibration={}, fields={},
    )  # fmt: skip
    names = [recipe.name for recipe in asked.recipes]
    assert names == ["magnitude", "wanda:0.5,scope=layer", "nodes + bnb-nf4"]
    assert [recipe.levels for recipe in asked.recipes] == [(0.5,), (), (0.5,)]
