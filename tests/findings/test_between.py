"""What changed between two runs: verdicts apart from numbers, models paired by name or role."""

import copy
from dataclasses import fields

from answers_by_hand import cell, flipped, run

from resect.diff.row_names import KEYS, names_in, row_types
from resect.diff.run_diff import RunDiff, diff_findings
from resect.findings import rows

GOLD = ["yes", "no"] * 20
ONE = {
    "models": [
        {"name": "a", "role": "specialist", "fingerprint": "1"},
        {"name": "b", "role": "base"},
    ],
    "study": {"limit": 60},
    "curves": [{"model": "a", "level": 0.0, "accuracy": 0.5}],
    "verdicts": [
        {"model": "a", "view": "text", "state": "passed", "passed_level": 0.2, "alpha": 0.025}
    ],
    "headline": {"text": "It holds."},
}


def changed(**values):
    return {**copy.deepcopy(ONE), **values}


def summary(levels, wrong):
    return run([cell("a", x, GOLD, flipped(GOLD, n)) for x, n in zip(levels, wrong, strict=True)])


def test_the_same_is_the_same():
    found = diff_findings(ONE, ONE)
    assert found.same
    assert not [*found.asked, *found.verdicts, *found.only, *found.values, *found.reordered]
    assert [(pair.first, pair.second, pair.by) for pair in found.models] == [
        ("a", "a", "name"), ("b", "b", "name"),
    ]  # fmt: skip


def test_verdicts_stand_apart():
    row = {**ONE["verdicts"][0], "passed_level": 0.3, "alpha": 0.05}
    found = diff_findings(
        ONE, changed(verdicts=[row], headline={"text": "No."}, study={"limit": 50})
    )
    assert [(d.section, d.field) for d in found.verdicts] == [
        ("headline", "text"), ("verdicts", "passed_level"),
    ]  # fmt: skip
    assert [(d.field, d.first, d.second) for d in found.values] == [("alpha", 0.025, 0.05)]
    assert [(d.section, d.field) for d in found.asked] == [("study", "limit")]


def test_an_updated_model_is_paired_by_its_role():
    """Its other name stands in no finding; the base keeps its name."""
    models = [{"name": "a-v2", "role": "specialist", "fingerprint": "2"}, ONE["models"][1]]
    curves = [{"model": "a-v2", "level": 0.0, "accuracy": 0.75}]
    verdicts = [{**ONE["verdicts"][0], "model": "a-v2"}]
    found = diff_findings(ONE, changed(models=models, curves=curves, verdicts=verdicts))
    assert [(pair.first, pair.second, pair.by, pair.weights) for pair in found.models] == [
        ("b", "b", "name", None), ("a", "a-v2", "role", "other"),
    ]  # fmt: skip
    assert [(d.row, d.field, d.second) for d in found.values] == [
        ({"model": "a", "level": 0.0}, "accuracy", 0.75)
    ]
    assert found.only == ()
    assert not found.same


def test_two_of_one_role_are_not_paired_by_it():
    models = [{"name": n, "role": "specialist"} for n in ("c", "d")]
    assert diff_findings(ONE, changed(models=models)).models == ()


def test_a_level_less_leaves_the_other_rows_as_they_are():
    """Only what has that level, and what follows from the range of levels, differs."""
    found = diff_findings(summary((0, 0.25, 0.5), (0, 2, 4)), summary((0, 0.25), (0, 2)))
    lost = [d.row for d in found.only if d.section in ("curves", "bias", "trust")]
    assert len(lost) == 3
    assert {row["level"] for row in lost} == {0.5}
    assert found.shared["curves"] == 2
    assert not [d for d in found.values if d.section in ("curves", "bias", "trust")]


def test_the_document_has_what_the_docs_name():
    data = RunDiff(diff_findings(ONE, changed(study={"limit": 50})), None, "no store").to_data()
    assert list(data) == [
        "schema", "in_common", "same", "models", "asked", "verdicts", "only", "values", "reordered",
        "shared", "answers", "reason",
    ]  # fmt: skip
    assert data["in_common"]
    assert data["asked"] == (
        {"kind": "value", "section": "study", "row": {}, "field": "limit", "first": 60,
         "second": 50},
    )  # fmt: skip
    assert data["models"][0] == {
        "first": "a", "second": "a", "role": "specialist", "by": "name", "weights": "same",
    }  # fmt: skip


def test_every_type_of_row_has_a_key_of_its_own_fields():
    types = row_types()
    assert types["curves"] is rows.CurvePoint
    assert types["verdicts.guardrails"] is rows.Guardrail
    assert types["published.claims"] is rows.Claim
    assert set(KEYS) == set(types.values())
    for row_type, key in KEYS.items():
        assert key, row_type
        assert set(key) <= {field.name for field in fields(row_type)}, row_type


def lists(value, path=()):
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from lists(entry, (*path, key))
    elif isinstance(value, list):
        yield ".".join(path), value
        for entry in value:
            yield from lists(entry, path)


def test_every_row_of_a_summary_has_a_name_of_its_own():
    both = [cell(m, x, GOLD, flipped(GOLD, n), flipped(GOLD, n // 2))
            for m in "ab" for x, n in ((0, 0), (0.25, 3), (0.5, 8), (0.75, 12))]  # fmt: skip
    for path, entries in lists(run(both)):
        if entries and isinstance(entries[0], dict):
            key = names_in(entries, entries, path)
            names = [tuple(str(entry.get(field)) for field in key) for entry in entries]
            assert path in row_types()
            assert len(set(names)) == len(names), f"{path} needs a name: see row_names.py"
