"""One row a configuration: size and scores of the same state, the majority baseline below."""

from __future__ import annotations

from report_fixture import summary

from resect.report.charts import pareto
from resect.report.data import configurations


def test_rows_say_what_the_summary_says():
    given = summary()
    (first, *_) = configurations.tables(given)
    assert [column.head for column in first.columns][:4] == [
        "Model",
        "Configuration",
        "Level",
        "Bytes",
    ]
    task = given["tasks"][0]["name"]
    intact = [row for row in first.body if row[1] == "intact"]
    assert len(intact) == len({row["model"] for row in given["curves"] if row["task"] == task})
    cut = next(row for row in first.body if row[1] not in ("intact", "majority baseline"))
    same = [
        row
        for row in given["curves"]
        if row["task"] == task and row["view"] == "text" and row["recipe"] == cut[1]
        and f"{row['accuracy']:.4f}" == cut[4]
    ]  # fmt: skip
    assert same
    levels = {row[2] for row in first.body if row[0] == cut[0] and row[1] == cut[1]}
    assert 1 < len(levels) <= 4


def test_the_majority_baseline_stands_in_the_same_table():
    given = summary()
    task = given["tasks"][0]
    task["floors"]["majority_weighted"] = {"precision": 0.25, "recall": 0.5, "f1": 0.3333}
    last = configurations.tables(given)[0].body[-1]
    assert last[0] == f"always {task['floors']['majority_label']}"
    assert last[5:8] == ("0.2500", "0.5000", "0.3333")


def test_speed_is_drawn_as_a_ratio_and_only_where_shapes_differ():
    given = summary()
    rows = given["measurements"]
    for row in rows:
        row["tokens_per_second"] = 100.0 if row["role"] == "base" else 140.0
        row["ratios"] = {"tokens_per_second": 1.0}
    assert pareto.front(given, "speed") is None
    faster = next(row for row in rows if row["level"] == max(r["level"] for r in rows))
    faster["tokens_per_second"], faster["ratios"] = 210.0, {"tokens_per_second": 1.5}
    front = pareto.front(given, "speed")
    assert {version.x for version in front.versions} == {1.0, 1.5}
    assert "×1.50" in str(pareto.table(front)) + pareto.draw(front)
