"""What the sentences say: how far first, then who keeps more, by role."""

from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task

GOLD = ["yes", "no"] * 200
NAMED = [{"name": "Doc-7B", "role": "specialist"}, {"name": "Gen-7B", "role": "base"}]


def frames(name, role, wrong, task="t"):
    return [
        cell(name, x, GOLD, flipped(GOLD, w)).assign(role=role, task=task) for x, w in wrong.items()
    ]


def test_the_headline_says_how_far_and_then_who_keeps_more():
    found = run(
        frames("Doc-7B", "specialist", {0.0: 5, 0.25: 6, 0.45: 7, 0.5: 40})
        + frames("Gen-7B", "base", {0.0: 5, 0.25: 6, 0.45: 60, 0.5: 90}),
        models=NAMED,
    )["verdict"]
    assert found["headline"] == (
        "Under cut, the specialist stays within 5 points of its uncut self up to 45 % (on t), "
        "its base up to 25 % (on t). Under cut, the specialist keeps more than its base on t."
    )
    assert found["sentences"][0].startswith(
        "Under cut, the specialist stays within 5 points of its uncut self up to 45 % (on t), at "
        "one-sided alpha 0.025; at 50 % it is stopped by accuracy on t: -17.5 points ["
    )
    assert "Doc-7B" not in " ".join(found["sentences"])


def test_what_is_not_assessable_is_said():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    found = run(
        frames("m", "m", {0.0: 5, 0.3: 6}) + frames("m", "m", {0.0: 98, 0.3: 99}, "u"), tasks=tasks
    )["verdict"]
    first = found["sentences"][0]
    assert "(on the 1 of 2 tasks that are assessable)" in first
    assert "u is not assessable because the uncut model's skill is 0.02" in first
    assert "no level asked was stopped" in first
    blind = run(frames("m", "m", {0.0: 98, 0.3: 99}))["verdict"]
    assert "cannot be said" in blind["sentences"][0]


def test_no_evidence_comes_with_what_could_have_been_shown():
    steps = {0.0: 5, 0.25: 6, 0.5: 40}
    found = run(
        frames("Doc-7B", "specialist", steps) + frames("Gen-7B", "base", {**steps, 0.25: 5}),
        models=NAMED,
    )["verdict"]
    assert any("no evidence, where differences of 0.0" in s for s in found["sentences"])


def test_nothing_safe_and_several_treatments():
    rows = frames("m", "m", {0.0: 5, 0.3: 50})
    rows.append(cell("m", 0.3, GOLD, flipped(GOLD, 60), treatment="other"))
    found = run(rows)["verdict"]
    assert found["headline"].startswith(
        "Under cut, m is not shown to stay within 5 points of its uncut self even at 30 % (on t)"
    )
    assert any(
        "No smallest safe version of m is named among 2 treatments" in s for s in found["sentences"]
    )
