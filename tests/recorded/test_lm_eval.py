"""lm-eval both ways: the real package's samples give its own scores, and ours come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from resect.diff.same_summary import same_summary
from resect.errors import RequestError
from resect.recorded import audit, recognise
from resect.run.folder import Run
from resect.store.export import export

TASK = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: {kind}
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
{more}
metadata:
  version: 1.0
"""
CHOICE = """doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}"""
WORD = """doc_to_target: word
generation_kwargs: {until: ["\\n"], max_gen_toks: 8, do_sample: false}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}"""


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """Two tiny models asked by the real lm_eval: the folder it wrote."""
    pytest.importorskip("lm_eval", reason="lm_eval is not installed: its samples go unchecked")
    import tiny

    root = tmp_path_factory.mktemp("harness")
    with (root / "data.jsonl").open("w") as file:
        for i in range(24):
            choices = ["it is even", "odd", f"prime number {i}", "x" * (1 + i % 5)]
            row = {"question": f"Is {i} even, or {i * 7}?", "choices": choices, "answer": i % 4}
            file.write(json.dumps({**row, "word": "yes" if i % 2 else "no"}) + "\n")
    (root / "tasks").mkdir()
    for name, kind, more in (
        ("local_mc", "multiple_choice", CHOICE),
        ("local_gen", "generate_until", WORD),
    ):
        text = TASK.format(name=name, kind=kind, more=more, data=root / "data.jsonl")
        (root / "tasks" / f"{name}.yaml").write_text(text)
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(root / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    commands = []
    for name, seed in (("Tiny-7B", 3), ("Tiny-7B-wanda-0.5", 4)):
        model = tiny.save(root / name, seed=seed)
        commands.append([
            "lm_eval", "run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32",
            "--tasks", "local_mc,local_gen", "--include_path", str(root / "tasks"),
            "--device", "cpu", "--batch_size", "8",
            "--output_path", str(root / "out"), "--log_samples",
        ])  # fmt: skip
    # one process for both: importing lm_eval takes most of the time
    code = f"import sys\nfrom lm_eval.__main__ import cli_evaluate\nfor sys.argv in {commands!r}:\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}    cli_evaluate()"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return root / "out"


def test_its_own_scores_exactly(harness, tmp_path):
    assert recognise(harness) == "lm-eval"
    run = audit(harness, tmp_path / "run")
    with run.reading() as store:
        stated = store.facts()["audit"]["stated"]
    assert {row["metric"] for row in stated} == {"acc", "acc_norm"}
    assert len(stated) == 4
    for row in stated:
        assert row["computed"] == row["stated"], row
    summary = run.summary()
    acc = {row["level"] or 0.0: row["stated"] for row in stated if row["metric"] == "acc"}
    options = [row for row in summary["curves"] if row["view"] == "options"]
    assert {row["level"]: row["accuracy"] for row in options} == acc
    assert sorted(acc) == [0.0, 0.5]
    assert [m["name"] for m in summary["models"]] == ["Tiny-7B"]
    text = next(row for row in summary["tasks"] if row["name"] == "local_gen")
    assert text["labels"] == ["yes", "no"]


def test_export_and_import_give_the_same_findings(harness, tmp_path):
    first = audit(harness, tmp_path / "first")
    with first.reading() as store:
        export(store, "lm-eval", tmp_path / "exported")
    again = audit(tmp_path / "exported", tmp_path / "again")
    left, right = first.summary(), again.summary()
    for key in ("curves", "robustness", "cliffs", "comparisons", "tasks"):
        assert same_summary({key: left[key]}, {key: right[key]}), key


@pytest.fixture(scope="module")
def live(tmp_path_factory, tiny_pair):
    """A live run: both views, two models, two levels."""
    from resect import Study, run

    study = Study.of(
        models={"specialist": str(tiny_pair[0]), "base": str(tiny_pair[1])},
        recipes=["magnitude"],
        levels="0,0.5",
        tasks=["clinic-medicine"],
        limit=12,
        resamples=200,
        device="cpu",
        measure="sizes",
    )
    return run(study, tmp_path_factory.mktemp("live") / "run")


@pytest.mark.parametrize("to", ["lm-eval", "csv"])
def test_a_live_run_goes_out_and_comes_back(live, tmp_path, to):
    with live.reading() as store:
        export(store, to, tmp_path / "out")
    source = tmp_path / "out" / "answers.csv" if to == "csv" else tmp_path / "out"
    back = audit(source, tmp_path / "back")
    keys = ["model", "role", "recipe", "level", "task", "item_id"]
    columns = [*keys, "gold", "text", "answer", "outcome", "score", "chosen", "option_scores"]
    one, other = (run.answers().sort_values(keys)[columns] for run in (live, back))
    assert one.fillna("-").values.tolist() == other.fillna("-").values.tolist()


def test_items_of_every_shape_go_out_and_come_back(tmp_path, tiny_pair, data_dir):
    """Other numbers of options, several right ones, abstaining, and pairs that belong together."""
    from resect import Study, run

    study = Study.of(
        models={"specialist": str(tiny_pair[0])},
        recipes=[],
        tasks=["truthfulqa", "medhalt-fake", "medhallu-detect"],
        data_dir=str(data_dir),
        limit=12,
        device="cpu",
    )
    ours = run(study, tmp_path / "run")
    with ours.reading() as store:
        export(store, "csv", tmp_path / "out")
    back = audit(tmp_path / "out" / "answers.csv", tmp_path / "back")
    for key in ("curves", "trust"):
        one, other = (
            {r["task"] + r["view"]: r for r in run.summary()[key]} for run in (ours, back)
        )
        for name, row in one.items():
            for field in ("n", "accuracy", "skill", "brier", "risk_coverage"):
                assert row.get(field) == other[name].get(field), (name, field)
    floors = [
        {t["name"]: t["floors"]["chance"] for t in r.summary()["tasks"]} for r in (ours, back)
    ]
    assert floors[0] == floors[1]
    clusters = [r.answers().groupby("task")["parent"].nunique() for r in (ours, back)]
    assert clusters[0].to_dict() == clusters[1].to_dict()


def test_parquet_holds_every_answer(live, tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed: Parquet goes unchecked")
    with live.reading() as store:
        export(store, "parquet", tmp_path)
    assert len(pd.read_parquet(tmp_path / "answers.parquet")) == len(live.answers())


def test_an_unknown_format_is_named(live, tmp_path):
    with live.reading() as store, pytest.raises(RequestError, match="parquet"):
        export(store, "parquett", tmp_path / "x")


def test_two_models_in_one_folder_are_refused(harness, tmp_path):
    place = tmp_path / "both"
    place.mkdir()
    for folder in harness.iterdir():
        for file in folder.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
    with pytest.raises(RequestError, match="two models"):
        audit(place, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert Run(tmp_path / "run").path == tmp_path / "run"
