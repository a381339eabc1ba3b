"""Studies asked in looks: the same verdict as of all items, fewer questions, and resuming."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

import resect

if WHEN_RUN:
    from resect.running.walk import Answered

pytestmark = pytest.mark.slow


def study(**fields):
    given = {
        "name": "looks", "models": {"specialist": "clinic:specialist"},
        "recipes": [{"steps": "magnitude", "levels": [0, 0.2, 0.4, 0.6, 0.8]}],
        "tasks": ["clinic-medicine", "clinic-logic"], "limit": 160, "resamples": 200,
        "measure": "sizes",
    }  # fmt: skip
    return resect.Study.of(**{**given, **fields})


def deciding(summary):
    return [row for row in summary["verdicts"] if row["default"]]


def same_end(one, other):
    """The same verdicts, and the same questions asked."""
    with one.reading() as a, other.reading() as b:
        asked = a.questions() == b.questions()
    return asked and deciding(one.summary()) == deciding(other.summary())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return resect.run(study(), tmp_path_factory.mktemp("whole") / "run").summary()


@pytest.fixture(scope="module")
def in_looks(tmp_path_factory):
    said = []
    place = tmp_path_factory.mktemp("looks") / "run"
    return resect.run(study(sequential=True), place, notice=said.append), said


def test_the_verdict_is_that_of_all_items(whole, in_looks):
    run, said = in_looks
    (every,), (early,) = deciding(whole), deciding(run.summary())
    assert early["passed_level"] == every["passed_level"]
    asked, planned = (int(word) for word in said[-1].replace(",", "").split() if word.isdigit())
    assert planned == 4 * 2 * 160
    assert asked < 0.7 * planned


def test_what_was_not_needed_is_skipped_and_nothing_else(in_looks):
    with in_looks[0].reading() as store:
        cells = store.cells()
    stopped = deciding(in_looks[0].summary())[0]["stopped_by"]["level"]
    beyond = cells[cells["level"] > stopped]
    assert len(beyond)
    assert set(beyond["status"]) == {"skipped"}
    assert set(cells.loc[cells["level"] < stopped, "status"]) == {"success"}
    assert "no answers" not in " ".join(in_looks[0].summary()["warnings"])


def test_a_study_that_was_stopped_goes_on_as_if_it_had_not(in_looks, tmp_path):
    """Stopped after every few batches, until nothing is left."""
    again = study(sequential=True, batch_tokens=None)

    class Enough(Exception):
        pass

    def watch(planned, events):
        for number, event in enumerate(e for e in events):
            yield event
            if number == 7 and isinstance(event, Answered):
                raise Enough

    for _ in range(40):
        try:
            run = resect.run(again, tmp_path / "run", watch=watch)
            break
        except Enough:
            continue
    assert same_end(in_looks[0], run)


def test_workers_decide_the_same(in_looks, tmp_path):
    run = resect.run(study(sequential=True), tmp_path / "run", workers=2)
    assert same_end(in_looks[0], run)


def test_answers_are_shared_with_a_study_of_all_items(in_looks, tmp_path):
    """Another rule is another cell; what was answered is not asked again."""
    run = resect.run(study(sequential=True), tmp_path / "run")
    with run.reading() as store:
        before = store.count()
    came = []

    def watch(planned, events):
        for event in events:
            if isinstance(event, Answered):
                came.extend(event.answers)
            yield event

    resect.run(study(), tmp_path / "run", watch=watch)
    assert len(came) == 5 * 2 * 160 - before


def test_a_choice_among_recipes_is_confirmed_on_its_half(tmp_path):
    recipes = [{"steps": steps, "levels": [0, 0.1, 0.8]} for steps in ("magnitude", "random")]
    found = {}
    for sequential in (False, True):
        given = study(recipes=recipes, tasks=["clinic-medicine"], limit=300, sequential=sequential)
        run = resect.run(given, tmp_path / str(sequential))
        (choice,) = run.summary()["choice"]
        found[sequential] = choice["chosen"] and choice["chosen"]["level"]
    assert found[True] == found[False]
