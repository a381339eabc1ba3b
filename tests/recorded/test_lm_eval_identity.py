"""Which model, recipe and gold answer lm-eval's files speak of, without the harness itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resect.errors import RequestError
from resect.recorded import fill, lm_eval
from resect.recorded.lm_eval_files import Results
from resect.recorded.lm_eval_names import subject_of

TIME = "2024-01-01T00-00-00.000000"


def document(n, choices, target, scores, **more):
    arguments = {
        f"gen_args_{i}": {"arg_0": f"ctx {n}", "arg_1": f" {choice}"}
        for i, choice in enumerate(choices)
    }
    resps = [[[str(score), "False"]] for score in scores]
    base = {"doc_id": n, "doc": {}, "target": target, "arguments": arguments, "resps": resps}
    return {**base, "filter": "none", "metrics": ["acc"], **more}


def put(folder, rows, model_args="pretrained=o/M", time=TIME, results=None):
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"samples_mc_{time}.jsonl").write_text(lines)
    said = {"config": {"model_args": model_args}, "configs": {"mc": {}}, "model_name": folder.name}
    said["results"] = {"mc": results or {}}
    (folder / f"results_{time}.json").write_text(json.dumps(said))
    return folder


def subject(arguments="pretrained=o/M", folder="run"):
    results = Results.model_validate({"config": {"model_args": arguments}})
    said = {f"{folder}/results_{TIME}.json": results}
    return subject_of(f"{folder}/samples_mc_{TIME}.jsonl", said, Path("x"))[0]


@pytest.mark.parametrize(
    ("arguments", "recipe", "level"),
    [
        ("load_in_4bit=True", "bnb", 4),
        ("load_in_8bit=True", "bnb", 8),
        ("load_in_4bit=False,peft=None", "none", None),
        ("autogptq=True", "gptq", None),
        ("gptq=model.safetensors", "gptq", None),
        ("awq=True", "awq", None),
        ("peft=o/adapter", "peft adapter", None),
        ("delta=o/change", "delta change", None),
        ("load_in_4bit=True,peft=o/adapter", "bnb-4bit + peft adapter", None),
        ("sparsity=0.5", "compressed", 0.5),
        ("sparsity=50", "compressed", 0.5),
        ("sparsity=0.5,load_in_8bit=True", "compressed + bnb-8bit", 0.5),
        ("sparsity=0", "none", None),
        ("sparsity=2:4", "compressed 2:4", None),
    ],
)
def test_arguments_are_recipes(arguments, recipe, level):
    found = subject(f"pretrained=o/M,{arguments}")
    assert (found.model, found.recipe, found.level) == ("M", recipe, level)


@pytest.mark.parametrize("sparsity", ["1", "100", "250", "-1", "half", "nan"])
def test_a_sparsity_that_is_no_level(sparsity):
    with pytest.raises(RequestError, match=r"model_args of run.*\.$"):
        subject(f"pretrained=o/M,sparsity={sparsity}")


@pytest.mark.parametrize(
    ("name", "model", "recipe", "level"),
    [
        ("Llama-3-8B-wanda-0.5", "Llama-3-8B", "wanda", 0.5),
        ("Llama-3-8B-wanda-50", "Llama-3-8B", "wanda", 0.5),
        ("Llama-3-8B_50percent", "Llama-3-8B", "compressed", 0.5),
        ("Llama-3-8B-sparsegpt0.6-v2", "Llama-3-8B-v2", "sparsegpt", 0.6),
        ("Mixtral-8x7B-experts-0.25", "Mixtral-8x7B", "experts", 0.25),
        ("Mixtral-8x7B-experts-25pct", "Mixtral-8x7B", "experts", 0.25),
        ("Llama-3-8B-4bit", "Llama-3-8B", "quantized", 4),
        *(
            (name, name, "none", None)
            for name in (
                "Mixtral-experts-8x7B", "Random-7b-chat", "experts-8", "Maria-0.5", "neurons-12",
                "Sparse-7B", "pruned-2.7B", "Llama-16bit", "Sparse-Llama-3.1-8B-2of4", "random-70b",
            )
        ),
    ],
)  # fmt: skip
def test_names_are_read_with_care(name, model, recipe, level):
    found = subject(f"pretrained=o/{name}")
    assert (found.model, found.recipe, found.level) == (model, recipe, level)
    assert bool(found.inferred) == (recipe != "none")


def test_a_name_and_an_argument_together():
    found = subject("pretrained=o/M-wanda-0.5,load_in_4bit=True")
    assert (found.model, found.recipe, found.level) == ("M", "wanda + bnb-4bit", 0.5)
    found = subject("pretrained=o/M-4bit,autogptq=True")
    assert (found.model, found.recipe, found.level) == ("M", "gptq", 4)


def test_what_was_inferred_is_said_and_the_intact_id_is_kept(tmp_path):
    rows = [document(0, ["a", "b"], "0", [-1, -2])]
    put(tmp_path / "M", rows)
    for level in ("0.3", "0.5"):
        put(tmp_path / f"M-wanda-{level}", rows, model_args=f"pretrained=cut/M-wanda-{level}")
    found = lm_eval.read(tmp_path)
    (note,) = found.notes
    assert "M-wanda-0.3 is read as wanda at 0.3 of M" in note
    assert "M-wanda-0.5 at 0.5" in note
    assert found.ids == {"M": "o/M"}
    place = tmp_path / "other" / "M-wanda-0.5"
    put(place, rows, model_args="")
    (note,) = lm_eval.read(tmp_path / "other").notes
    assert note.startswith("folder M-wanda-0.5 is read as wanda at 0.5 of M:")


@pytest.mark.parametrize("own", [{"acc": 1.0}, {}])
def test_choices_that_are_digits(tmp_path, own):
    digits = ["1", "2", "3"]
    rows = [document(0, digits, "2", [-1, -0.1, -3], **own)]
    rows.append(document(1, digits, "1", [-0.1, -1, -3], **own))
    put(tmp_path / "M", rows, results={"acc,none": 1.0})
    if not own:
        with pytest.raises(RequestError, match="does not say whether a target is a place"):
            lm_eval.read(tmp_path)
        rows.append(document(2, digits, "3", [-1, -2, -3]))  # no place: so all are texts
        put(tmp_path / "M", rows)
    assert [row.gold for row in lm_eval.read(tmp_path).rows][:2] == ["2", "1"]
    wrong = {"acc": 0.0} if own else {}
    rows = [
        document(0, digits, "2", [-1, -0.1, -3], **wrong),
        document(1, digits, "0", [-1, -2, -3]),
    ]
    put(tmp_path / "M", rows)
    assert [row.gold for row in lm_eval.read(tmp_path).rows] == ["3", "1"]


def test_scores_that_differ_from_the_stated_ones_are_named(tmp_path):
    rows = [document(0, ["a", "b"], "0", [-1, -2]), document(1, ["a", "b"], "1", ["nan", -2])]
    put(
        tmp_path / "M",
        rows,
        results={"acc,none": 1.0, "acc_norm,none": 0.5, "acc_bytes,none": "N/A"},
    )
    found = lm_eval.read(tmp_path)
    assert [note for note in found.notes if "lm-eval states acc 1 for M" in note]
    assert len(found.notes) == 1
    assert len(found.rows) == 2


def test_targets_that_are_lists(tmp_path):
    row = {
        "doc_id": 0, "doc": {}, "target": "['a', 'b']", "resps": [["x"]], "filter": "none",
        "arguments": {"gen_args_0": {"arg_0": "c", "arg_1": {}}},
    }  # fmt: skip
    for target in ("['a', 'b']", ["a", "b"]):
        put(tmp_path / "M", [{**row, "target": target}])
        with pytest.raises(RequestError, match="document 0 has a list of right answers"):
            lm_eval.read(tmp_path)
    put(tmp_path / "M", [document(0, ["a", "b"], "[0, 1]", [-1, -2])])
    with pytest.raises(RequestError, match="document 0 has several right choices"):
        lm_eval.read(tmp_path)
    put(tmp_path / "M", [{**row, "target": "[INST] yes"}])
    assert lm_eval.read(tmp_path).rows[0].gold == "[INST] yes"


def test_only_the_newest_samples_are_read(tmp_path, monkeypatch):
    put(tmp_path / "M", [document(0, ["a", "b"], "0", [-1, -2])], time="2024-01-01T00-00-00.0")
    put(tmp_path / "M", [document(0, ["a", "b"], "1", [-1, -2])], time="2024-01-02T00-00-00.0")
    (tmp_path / "M" / "samples_mc_2024-01-01T00-00-00.0.jsonl").write_bytes(b"\xff broken")
    found = lm_eval.read(tmp_path)
    assert [row.gold for row in found.rows] == ["b"]
    assert any("ran 2 times" in note for note in found.notes)


def test_a_damaged_results_file_is_a_sentence(tmp_path):
    put(tmp_path / "M", [document(0, ["a", "b"], "0", [-1, -2])])
    for config in ({"resect": {"model": "M"}}, [1]):
        (tmp_path / "M" / f"results_{TIME}.json").write_text(json.dumps({"config": config}))
        with pytest.raises(RequestError, match=r"\.$"):
            lm_eval.read(tmp_path)


def test_two_folders_without_levels_are_two_baselines(tmp_path):
    for name in "AB":
        put(tmp_path / name, [document(0, ["a", "b"], "0", [-1, -2])], f"pretrained=o/{name}")
    found = fill.fill(lm_eval.read(tmp_path), tmp_path, "lm-eval", {"specialist": "o/A"})
    got = [(c.result.model, c.result.role, c.result.recipe, c.result.level) for c in found.cells]
    assert got == [("A", "specialist", "none", 0.0), ("B", "base", "none", 0.0)]
