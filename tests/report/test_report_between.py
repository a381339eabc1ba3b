"""What changed between two runs, in lines."""

from resect.diff.answer_diff import AnswerDiff, CellDiff
from resect.diff.diff_report import MOST, lines
from resect.diff.run_diff import FindingDiff, ModelPair, RunDiff
from resect.diff.same_summary import Difference

NAMES = {"model": "m", "recipe": "magnitude", "seed": 0, "level": 0.25}


def difference(kind, section, field, first=None, second=None, **row):
    return Difference(kind, section, row, field, first, second)


def cell(n=10, same=10, changed=0, lost=0, gained=0, **more):
    row = {**NAMES, "task": "t", "view": "text", "n": n, "only_first": 0, "only_second": 0,
           "same": same, "changed": changed, "metric": "accuracy", "lost": lost, "gained": gained,
           "first": 0.9, "second": 0.9, "difference": (gained - lost) / n, "low": -0.4, "high": 0.1,
           "p": 1.0, "p_holm": 1.0}  # fmt: skip
    return CellDiff(**{**row, **more})


def changes(cells=(), shared=20, **more):
    answers = AnswerDiff(
        cells=tuple(cells), family=len(cells), only_first=(), only_second=(), unlike_tasks=()
    )
    parts = dict.fromkeys(("models", "asked", "verdicts", "only", "values", "reordered"), ())
    findings = FindingDiff(**{**parts, "same": False, "shared": {"curves": shared}, **more})
    return RunDiff(findings, answers, None)


def test_identical_runs_take_two_lines():
    assert lines(changes([cell(), cell()])) == [
        "The findings are the same.", "", "The answers to 20 of 20 items in 2 cells are the same.",
    ]  # fmt: skip


def test_nothing_in_common_is_one_sentence():
    (said,) = lines(changes(shared=0))
    assert said.startswith("The two runs have nothing in common: ")


def test_verdicts_come_first_then_rows_then_numbers_then_answers():
    found = lines(
        changes(
            [cell(same=5, changed=5, lost=4, gained=1, p=0.375, p_holm=0.75), cell()],
            verdicts=[
                difference("value", "headline", "text", "Half. It holds.", "Half. It fails."),
                difference("value", "verdicts", "state", "passed", "failed", model="m"),
                difference("value", "verdicts", "passed_level", 0.3, 0.2, model="m"),
            ],
            only=[difference("first", "curves", "", **NAMES)] * 2,
            values=[
                difference("value", "curves", "n", 60, 50, **NAMES),
                difference("value", "curves", "skill", 0.5, 0.25, **NAMES),
                difference("value", "curves", "status", "success", None, **NAMES),
            ],
        )
    )
    assert found == [
        "Verdicts",
        "  the first: It holds.",
        "  the second: It fails.",
        "  verdicts, m: state passed -> failed; passed_level 0.3 -> 0.2",
        "",
        "Only in one run",
        "  curves: 2 only in the first, like m, magnitude, seed 0, 25 %",
        "",
        "Other differences in rows of both runs",
        "  curves: 1 of 20 rows, n (up to 10), skill (up to 0.25), status (1 row)",
        "",
        "The answers to 15 of 20 items in 2 cells are the same, 0 have the same label in other "
        "words or with other scores, 5 have another label. Right answers: 4 lost, 1 gained.",
        "",
        "Right answers changed in 1 of 2 cells, clearly (p at most 0.05 after Holm's correction "
        "over 2) in 0",
        "  m, magnitude, seed 0, 25 %, t, text: 4 lost, 1 gained of 10, accuracy -0.300 "
        "[-0.400, +0.100], p 0.38, after Holm 0.75",
    ]


def test_sentences_with_other_numbers_have_no_field():
    found = lines(changes(values=[difference("value", "warnings", "", "3 a", "4 a", entry="3 a")]))
    assert "  warnings: 1 rows" in found


def test_a_part_is_cut_and_counted_unless_all_is_asked_for():
    many = [difference("value", f"list{i}", "n", 60, 50, model="m") for i in range(MOST + 5)]
    short, whole = lines(changes(values=many)), lines(changes(values=many), everything=True)
    assert "  and 5 more lines (--all)" in short
    assert len(whole) == len(short) + 4
    assert "  list14, m: n 60 -> 50" in whole


def test_models_paired_by_role_and_other_weights_are_said():
    pairs = [
        ModelPair("a", "b", role="specialist", by="role", weights="other"),
        ModelPair("c", "c", role="base", by="name", weights="other"),
    ]
    assert lines(changes(models=pairs))[:2] == [
        "b is compared with a: each is the only specialist whose name is not in the other run.",
        "The weights of c differ between the runs.",
    ]


def test_text_of_a_run_is_shown_as_text():
    found = lines(changes(values=[difference("value", "x", "why", "a\x1b[31m", "b")]), True)
    assert "  x: why a\\x1b[31m -> b" in found
