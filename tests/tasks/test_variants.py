"""Questions asked again: what is changed, what stays, and which questions cannot be asked so."""

from __future__ import annotations

from collections import Counter

import pytest

from resect import tasks
from resect.record import ABSTAIN
from resect.tasks import Source
from resect.tasks.question import Question
from resect.tasks.variants import UNSURE, variants

ALL = ("permuted", "swapped", "unsure")


def asked(name, data_dir, limit=200, kinds=ALL, **more):
    """Items by question, and each one's variants by name."""
    items = tasks.get(name).items(Source(data_dir, limit=limit, variants=kinds, **more))
    plain = {item.id: item for item in items if item.variant is None}
    again = [item for item in items if item.variant]
    return plain, {kind: [i for i in again if i.variant == kind] for kind in kinds}


@pytest.mark.parametrize("name", ["medqa", "medmcqa", "truthfulqa", "mmlu-medical", "medhallu"])
def test_every_option_moves_and_gold_goes_with_its_text(name, data_dir):
    plain, again = asked(name, data_dir)
    assert len(again["permuted"]) > 0.7 * len(plain)
    for item in again["permuted"]:
        own = plain[item.parent]
        assert sorted(item.options.values()) == sorted(own.options.values())
        assert item.options[item.gold] == own.options[own.gold]
        assert item.prompt != own.prompt
        if len(set(own.options.values())) == len(own.options):
            assert all(item.options[x] != own.options[x] for x in own.options)


@pytest.mark.parametrize("name", ["pubmedqa", "bioasq-yesno", "healthver", "clinic-context"])
def test_the_context_is_of_a_question_with_another_answer(name, data_dir):
    plain, again = asked(name, data_dir, kinds=("swapped",))
    assert len(again["swapped"]) == len(plain)
    known = {(item.context, item.gold) for item in plain.values()}  # evidence of several claims
    for item in again["swapped"]:
        own = plain[item.parent]
        assert (item.gold, item.labels, item.question) == (own.gold, own.labels, own.question)
        assert item.context != own.context
        assert any((item.context, x) in known for x in {*item.labels} - {own.gold})
        assert own.context not in item.prompt


@pytest.mark.parametrize("name", ["medqa", "medqa-4", "mmlu-medical", "clinic-medicine"])
def test_the_way_out_stands_anywhere(name, data_dir):
    plain, again = asked(name, data_dir, kinds=("unsure",))
    assert len(again["unsure"]) == len(plain)
    places = Counter()
    for item in again["unsure"]:
        own = plain[item.parent]
        (out,) = (label for label, text in item.options.items() if text == UNSURE)
        assert item.means == {out: ABSTAIN}
        assert [t for t in item.options.values() if t != UNSURE] == list(own.options.values())
        assert item.options[item.gold] == own.options[own.gold]
        reading = tasks.get(name).read(f" {out}", item)
        assert (reading.value, reading.score) == (ABSTAIN, 0.0)
        assert tasks.get(name).read(f" {item.gold}", item).score == 1.0
        places[out] += 1
    k = len(item.options)
    assert max(places.values()) < 1.5 * len(plain) / k  # no letter abstains by itself
    assert min(places[x] for x in item.labels) > 0.5 * len(plain) / k


def test_a_larger_limit_keeps_them_and_a_seed_draws_others(data_dir):
    kinds = ("permuted", "unsure")
    _, few = asked("medqa", data_dir, limit=50, kinds=kinds)
    _, more = asked("medqa", data_dir, limit=100, kinds=kinds)
    _, other = asked("medqa", data_dir, limit=50, kinds=kinds, seed=1)
    for kind in kinds:
        assert {i.key for i in few[kind]} < {i.key for i in more[kind]}
        assert {i.key for i in few[kind]} != {i.key for i in other[kind]}


def question(*texts, **more):
    return Question(
        "q", "Which?", "A", tuple("ABCD"), dict(zip("ABCD", texts, strict=True)), **more
    )


@pytest.mark.parametrize(
    "text", ["All of the above", "Both A and C", "None of these", "A, B", "Neither", "Both"]
)
def test_options_that_speak_of_places_stay_where_they_are(text):
    one = question("heart", "liver", "lung", text)
    assert list(variants([one], ["permuted"], 0)) == []
    ((_, _, out),) = variants([one], ["unsure"], 0)
    assert out.options["E"] == UNSURE


def test_what_has_no_variant():
    bare = Question("q", "Is it?", "yes", ("yes", "no"))
    assert list(variants([bare], ALL, 0)) == []
    offered = question("I pass", "liver", "lung", "skin", means={"A": ABSTAIN})
    assert [name for name, _, _ in variants([offered], ALL, 0)] == ["permuted"]
    ((_, _, moved),) = variants([offered], ["permuted"], 0)
    assert moved.options[next(iter(moved.means))] == "I pass"
    alone = Question("q", "Is it?", "yes", ("yes", "no"), context="a text")
    assert list(variants([alone], ["swapped"], 0)) == []
