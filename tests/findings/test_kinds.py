"""Tasks whose answers are no labels: their metrics by hand, and every finding over them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from answers_by_hand import cell, run
from lazy import WHEN_RUN

from resect.findings.frame import TaskFrame
from resect.findings.item_order import look_numbers
from resect.findings.looks import SHARES
from resect.findings.summary_file import from_data
from resect.record import TaskInfo
from resect.report import card
from resect.report.page import render as page

if WHEN_RUN:
    pass


N = 120


def info(kind: str, primary: str, **more) -> TaskInfo:
    return TaskInfo(
        name="t", kind=kind, labels=(), summary="", protocol="", max_new_tokens=10,
        primary=primary, **more,
    )  # fmt: skip


def given(model, level, score, parts=None, answers=None, **more):
    """One cell of a task without labels; an answer of None was read and held nothing."""
    n = len(score)
    said = ["x"] * n if answers is None else answers
    more = {"score": list(map(float, score)), "parts": parts, **more}
    return cell(model, level, [""] * n, said, **more)


def pick(rows, **keys):
    return [row for row in rows if all(row[k] == v for k, v in keys.items())]


def spans(rng, kept, n=N):
    """Counts of n sentences of which a share `kept` is found, and item scores."""
    rows = []
    for i in range(n):
        wanted = 1 + i % 3
        found = sum(rng.random() < kept for _ in range(wanted))
        rows.append({"correct": found, "partial": 0, "said": found + (i % 4 == 0),
                     "wanted": wanted, "invented": i % 4 == 0})  # fmt: skip
    return rows, [2 * r["correct"] / (r["said"] + r["wanted"]) for r in rows]


def test_micro_f1_by_hand():
    counts = [
        {"correct": 2, "partial": 1, "said": 4, "wanted": 3, "invented": 1},
        {"correct": 0, "partial": 0, "said": 0, "wanted": 2, "invented": 0},
        {"correct": 1, "partial": 0, "said": 1, "wanted": 1, "invented": 0},
    ]
    frame = given("m", 0.0, [4 / 7, 0, 1], counts, ["a", None, "b"])
    found = run([frame], tasks={"t": info("spans", "strict_f1")})
    (row,) = found["curves"]
    metrics = {name: one["value"] for name, one in row["metrics"].items()}
    assert metrics["strict_f1"] == pytest.approx(2 * 3 / (5 + 6))
    assert metrics["partial_f1"] == pytest.approx(2 * 3.5 / (5 + 6))
    assert metrics["strict_precision"] == pytest.approx(3 / 5)
    assert metrics["strict_recall"] == pytest.approx(3 / 6)
    assert metrics["invented"] == pytest.approx(1 / 5)
    assert metrics["no_answer"] == pytest.approx(1 / 3)
    assert metrics["if_answered"] == pytest.approx(2 * 3 / (5 + 4))  # the unread item left out
    assert row["skill"] == metrics["strict_f1"]
    assert row["accuracy"] is None  # no sentence is simply right or wrong


def test_text_metrics_by_hand():
    parts = [
        {"rouge_l": 0.5, "token_f1": 0.4, "omission": 0.25, "copied": 3, "ngrams": 4,
         "repeated": 1, "words": 7, "reference_words": 14},
        {"rouge_l": 0.1, "token_f1": 0.0, "omission": 0.75, "copied": 0, "ngrams": 6,
         "repeated": 0, "words": 9, "reference_words": 6},
    ]  # fmt: skip
    frame = given("m", 0.0, [0.5, 0.1], parts)
    (row,) = run([frame], tasks={"t": info("text", "rouge_l")})["curves"]
    value = {name: one["value"] for name, one in row["metrics"].items()}
    assert value["rouge_l"] == row["skill"] == pytest.approx(0.3)
    assert value["omission"] == pytest.approx(0.5)
    assert value["copy"] == pytest.approx(3 / 10)
    assert value["repetition"] == pytest.approx(1 / 10)
    assert value["length_ratio"] == pytest.approx(16 / 20)


def test_perplexity_by_hand_and_never_judged():
    parts = [{"nll": 20.0, "tokens": 10, "words": 5, "bytes": 40},
             {"nll": 60.0, "tokens": 30, "words": 20, "bytes": 60}]  # fmt: skip
    more = {"outcome": "", "text": "", "chosen": ["w", "w"], "option_scores": [(-20.0,), (-60.0,)]}
    frames = [given("m", x, [0, 0], parts, [None, None], **more) for x in (0.0, 0.5)]
    found = run(frames, tasks={"t": info("score", "perplexity")})
    for row in found["curves"]:
        assert row["view"] == "options"
        value = {name: one["value"] for name, one in row["metrics"].items()}
        assert value["perplexity"] == pytest.approx(math.exp(80 / 40))
        assert value["word_perplexity"] == pytest.approx(math.exp(80 / 25))
        assert value["bits_per_byte"] == pytest.approx(80 / 100 / math.log(2))
        assert row["skill"] is row["accuracy"] is None
    assert found["robustness"] == found["cliffs"] == found["comparisons"] == []
    assert found["verdicts"] == found["choice"] == []


def test_windows_of_one_article_are_said_to_have_no_interval():
    parts = [{"nll": 20.0 + i, "tokens": 10, "words": 5, "bytes": 40} for i in range(4)]
    more = {"outcome": "", "text": "", "chosen": ["w"] * 4, "option_scores": [(-20.0,)] * 4}
    for parent, said in (("a", True), (None, False)):
        frame = given("m", 0.0, [0] * 4, parts, [None] * 4, parent=parent, **more)
        found = run([frame], tasks={"t": info("score", "perplexity")})
        assert any("hang together" in text for text in found["warnings"]) == said


@pytest.mark.parametrize(("kind", "primary"), [("number", "exact_match"), ("code", "pass@1")])
def test_right_or_wrong_tasks_have_accuracy_and_counts(kind, primary):
    scores = [np.arange(N) % 10 != 0, np.arange(N) % 2 == 0]
    frames = [given("m", x, s) for x, s in zip((0.0, 0.5), scores, strict=True)]
    found = run(frames, tasks={"t": info(kind, primary)})
    whole, cut = found["curves"]
    assert whole["accuracy"] == whole["skill"] == whole["metrics"][primary]["value"] == 0.9
    assert cut["metrics"]["retention"]["value"] == pytest.approx(0.5 / 0.9)
    assert found["trust"][1]["since_baseline"]["lost"] == N // 2
    (row,) = found["verdicts"]
    assert row["state"] == "failed"
    assert row["tasks"][0]["change"] == pytest.approx(-0.4)


def study(kind: str):
    """Two models through four levels: a falls late, b early."""
    rng = np.random.default_rng(3)
    primary = {"spans": "strict_f1", "text": "rouge_l", "number": "exact_match", "code": "pass@1"}
    frames = []
    for model, kept in (("a", (0.9, 0.9, 0.85, 0.1)), ("b", (0.9, 0.6, 0.2, 0.0))):
        base = rng.random(N)
        for level, share in zip((0.0, 0.2, 0.4, 0.6), kept, strict=True):
            if kind == "spans":
                parts, score = spans(rng, share)
            elif kind == "text":
                score = np.clip(share * (0.5 + base / 2), 0, 1)
                parts = [{"rouge_l": s, "omission": 1 - s} for s in score]
            else:
                parts, score = None, base < share
            tags = [{"topic": "heart" if i % 3 else "skin"} for i in range(N)]
            frames.append(given(model, level, score, parts, tags=tags))
    return run(frames, tasks={"t": info(kind, primary[kind])})


def of_sentences(looks, broken=()):
    """Verdict on a level that was asked so many looks of 400 sentences; only `broken` changed."""
    n = 400
    parts, score = spans(np.random.default_rng(5), 0.9, n)
    for i in range(3, n, 4):  # no mentions, of which every other is answered with one
        parts[i] = dict.fromkeys(parts[i], 0) | {"said": (i // 4) % 2}
        score[i] = 1.0 - (i // 4) % 2
    damaged = [
        {**row, "correct": 0, "said": row["said"] - row["correct"]} if i in broken else row
        for i, row in enumerate(parts)
    ]
    tags = [{"mentions": str(row["wanted"])} for row in parts]
    cut = given("m", 0.1, score, damaged, tags=tags)
    whole = given("m", 0.0, score, parts, tags=tags)
    names = tuple(whole["item"])
    frame = TaskFrame("t", (), names, names, np.zeros(n, dtype=np.int8))
    some = [i for i, x in zip(names, look_numbers(frame, 0, SHARES), strict=True) if x <= looks]
    summary = run(
        [whole, cut[cut["item"].isin(some)]],
        tasks={"t": info("spans", "strict_f1")}, study={"name": "hand", "sequential": True},
    )  # fmt: skip
    return next(row for row in summary["verdicts"] if row["default"])


@pytest.mark.parametrize("looks", [1, 2, 4])
def test_a_copy_trips_no_guardrail_however_few_sentences_were_asked(looks):
    row = of_sentences(looks)
    assert row["tasks"][0]["n"] == 100 * looks
    assert {guard["of"] for guard in row["guardrails"]} == {f"mentions: {i}" for i in range(4)} | {
        None
    }
    assert not any(guard["tripped"] for guard in row["guardrails"])


def test_what_breaks_in_some_sentences_is_no_fall_of_others():
    broken = {i for i in range(400) if i % 4 != 3 and i % 3 == 2}
    guards = [g for g in of_sentences(4, broken)["guardrails"] if g["kind"] == "subgroup"]
    assert {g["of"]: g["tripped"] for g in guards} == {
        "mentions: 0": False, "mentions: 1": False, "mentions: 2": False, "mentions: 3": True,
    }  # fmt: skip
    assert {g["of"]: g["intact"] for g in guards}["mentions: 0"] == pytest.approx(0.5)


def test_a_destroyed_level_says_nothing_of_the_others():
    """A sentence that lists four hundred mentions is far from all that a level before it did."""
    parts, score = spans(np.random.default_rng(5), 0.9, 400)
    mild = [{**row, "said": row["said"] + (i % 50 == 0)} for i, row in enumerate(parts)]
    ruined = [parts[0] | {"said": 400}, *parts[1:]]
    frames = [given("m", 0.0, score, parts), given("m", 0.1, score, mild)]
    asked = {"tasks": {"t": info("spans", "strict_f1")}}
    alone, beside = (
        next(row for row in run(some, **asked)["verdicts"] if row["default"])["tasks"][0]
        for some in (frames, [*frames, given("m", 0.5, score, ruined)])
    )
    assert alone == beside
    assert alone["word"] == "passed"


@pytest.mark.parametrize("kind", ["spans", "text", "number", "code"])
def test_every_finding_works_for_every_kind(kind):
    found = study(kind)
    a, b = (pick(found["robustness"], model=m, kind="absolute")[0] for m in "ab")
    assert a["low"] > b["high"]
    assert {row["verdict"] for row in found["comparisons"]} == {"a better"}
    half = {row["model"]: row for row in pick(found["cliffs"], kind="half", metric="skill")}
    assert half["b"]["low"] <= half["b"]["level"] < half["a"]["low"] <= half["a"]["level"]
    level = {row["model"]: row["passed_level"] for row in found["verdicts"]}
    assert level["b"] is None
    assert level["a"] in (0.2, 0.4)
    stop = pick(found["verdicts"], model="b")[0]["stopped_by"]
    assert stop["test"]["high"] < -stop["test"]["margin"]
    assert stop.get("items_needed") is None
    assert {row["tag"] for row in found["slices"]} == {"topic"}
    assert found["bias"] == []
    assert json.dumps(found, allow_nan=False)
    summary = from_data(found, "the findings")
    text, data = card.render(summary)
    assert "None" not in text
    assert data["headline"]
    assert not re.search(r"\bnan\b", page.render(summary).split("<script", 1)[0], re.IGNORECASE)


def test_texts_that_only_the_limit_ends_are_counted():
    outcome = ["answer"] * 6 + ["degenerate"] * 4
    stopped = ["eos"] * 5 + ["length"] * 5
    frame = given("m", 0.0, [1] * 6 + [0] * 4, answers=["x"] * 6 + [None] * 4,
                  outcome=outcome, stopped=stopped)  # fmt: skip
    (row,) = run([frame], tasks={"t": info("number", "exact_match")})["curves"]
    assert row["metrics"]["cut_off"]["value"] == 0.5
    assert row["metrics"]["trapped"]["value"] == 0.4
