"""`gguf:TYPE` as a step: a file that is bound to its model, asked in its server like any state."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
import tiny
import yaml
from gguf_served import fields_of
from lazy import WHEN_RUN

from resect.errors import RequestError, RunError
from resect.record import GGUF_BITS
from resect.spec import GGUF_SWEEP, Calibration, ModelRef, Recipe, Study

if WHEN_RUN:
    import torch

    from resect import api, methods
    from resect.deploy import gguf_file, gguf_writer, imatrix, tensor_types
    from resect.methods import validation
    from resect.running import compression, importance, inspection, plan, request, resolve
    from resect.store.sqlite import Store

CLINIC = ModelRef.of(role="model", id="clinic:specialist")


def compress(tmp_path, steps, **how):
    out = tmp_path / "out"
    done = compression.compress_to(CLINIC, Recipe.of(steps=steps), out, **how)
    (path,) = out.glob("*.gguf")
    return done, gguf_file.read(path)


def test_compress_writes_one_file_and_measures_it(tmp_path):
    done, file = compress(tmp_path, "gguf:Q4_K_M")
    assert done["bytes_on_disk"] == file.path.stat().st_size == file.bytes_on_disk
    assert file.kind == "Q4_K_M"
    assert file.parameters == sum(math.prod(one["shape"]) for one in file.tensors)
    assert sum(file.types.values()) == sum(file.parts.values()) == file.tensor_bytes
    assert "blk.0.attn_q.weight" in file.fell_back  # rows of 96
    assert "blk.0.ffn_down.weight" not in file.fell_back  # rows of 256
    assert "fell back" in done["steps"][0]["scope"]
    assert file.fields["resect.source"] == "clinic:specialist"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "clinic-specialist-Q4_K_M.gguf",
        "resect.json",
    ]


def test_files_of_one_state_carry_the_same_hash_and_cut_ones_another(tmp_path):
    hashes = [
        compress(tmp_path / str(at), steps)[1].fields["resect.weights"]
        for at, steps in enumerate(("gguf:F16", "gguf:Q8_0", "nodes:0.5 + gguf:Q8_0"))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_cut_that_makes_the_file_larger_is_refused(tmp_path):
    with pytest.raises(RunError, match="multiple_of=256"):
        compress(tmp_path, "nodes:0.1 + gguf:Q4_K_M")  # rows of 230 instead of 256
    assert not (tmp_path / "out").exists()


def test_importances_of_calibration_text_change_the_file(tmp_path):
    (tmp_path / "text.txt").write_text("The drug Praiparib can cause sweating. " * 200)
    text = Calibration.of(data=str(tmp_path / "text.txt"), nsamples=4, seqlen=64)
    plain = compress(tmp_path / "a", "gguf:Q4_K_M")[1]
    weighed = compress(tmp_path / "b", "gguf:Q4_K_M,imatrix=calibration", calibration=text)[1]
    assert weighed.path.read_bytes() != plain.path.read_bytes()
    assert weighed.types == plain.types
    assert weighed.fields["resect.imatrix"] == "calibration"


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ("gguf", "write gguf:Q4_K_M"),
        ("gguf:Q9_K", "unknown GGUF type"),
        ("gguf:4.7", "unknown GGUF type"),
        ("gguf:IQ2_XS", "imatrix=calibration"),
        ("gguf:Q4_K_M + lora,data=clinic", "nothing can follow"),
        ("gguf:Q4_K_M + magnitude:0.5", "nothing can follow"),
        ("gguf:Q4_K_M,imatrix=calibration", "--calibration"),
        ("gguf:Q4_K_M,kv=q3", "kv"),
    ],
)
def test_impossible_recipes_are_refused(steps, word):
    with pytest.raises(RequestError, match=word):
        validation.check(Recipe.of(steps=steps), None)


def test_types_are_levels_that_fall():
    recipe = Recipe.of(steps="gguf", levels="f16,Q8_0,Q4_K_M")
    assert recipe.levels == (16.0, 8.5, 4.89)
    assert [str(recipe.at(level)[0]) for level in recipe.levels] == [
        "gguf:F16", "gguf:Q8_0", "gguf:Q4_K_M",
    ]  # fmt: skip
    assert str(Recipe.of(steps="gguf:q4_k_m").steps[0]) == "gguf:Q4_K_M"
    with pytest.raises(RequestError, match="from most to fewest"):
        Recipe.of(steps="gguf", levels="Q4_K_M,Q8_0")
    with pytest.raises(RequestError, match="no GGUF type"):
        validation.check(Recipe.of(steps="gguf", levels=[6.0, 5.0]), None)
    with pytest.raises(RequestError, match="imatrix=calibration"):
        validation.check(Recipe.of(steps="gguf", levels="Q8_0,IQ2_XS"), None)
    assert set(GGUF_BITS) == set(tensor_types.FILE_TYPES)


def test_levels_go_to_the_recipes_that_they_fit():
    asked = {"models": {"m": "clinic:specialist"}, "tasks": ["clinic-medicine"]}
    study = Study.of(**asked, recipes=["gguf", "magnitude"], levels=[0.2, 0.4])
    assert [recipe.levels for recipe in study.recipes] == [GGUF_SWEEP, (0.2, 0.4)]
    study = Study.of(**asked, recipes=["gguf"], levels="Q8_0,Q2_K", runtime={"kv": "q8_0"})
    assert study.recipes[0].levels == (8.5, 3.16)
    assert Study.of(**yaml.safe_load(study.dump())) == study
    with pytest.raises(RequestError, match="runtime"):
        Study.of(**asked, recipes=[], runtime={"kv": "q7"})
    options = {
        "smoke": False, "models": {"specialist": "clinic:specialist"}, "tasks": ["clinic-medicine"],
        "every_model": {}, "calibration": {}, "fields": {}, "methods": ["gguf", "magnitude"],
    }  # fmt: skip
    named = request.study(None, levels="F16,Q4_0", **options)
    assert named.recipes[0].levels == (16.0, 4.64)
    assert named.recipes[1].levels[-1] < 1
    with pytest.raises(RequestError, match="fit none of the methods"):
        request.study(None, levels="F16,Q4_0", **{**options, "methods": ["magnitude"]})


def test_importances_of_another_model_are_refused(tmp_path):
    step = methods.make(Recipe.of(steps="gguf:Q8_0,imatrix=absent.gguf").steps[0])
    with pytest.raises(RequestError, match="there is no importance matrix"):
        step.sources()
    shapes = {"blk.0.ffn_up.weight": (48, 32)}
    with pytest.raises(RequestError, match="another's"):
        imatrix.fitting({"blk.0.other.weight": np.ones(32)}, shapes)
    with pytest.raises(RequestError, match="before it was cut"):
        imatrix.fitting({"blk.0.ffn_up.weight": np.ones(31)}, shapes)


@pytest.mark.parametrize("family", ["mistral", "phi3", "qwen3_moe", "gpt_oss"])
def test_importances_are_mean_squares_of_what_comes_to_a_matrix(family, tmp_path):
    from resect.methods.calibration.calibration_text import Tokens

    changes = {"hidden_size": 64} if family == "gpt_oss" else {}
    changes |= {"norm_topk_prob": True} if family == "qwen3_moe" else {}
    model = tiny.model(family, **changes)
    text = Tokens(torch.randint(3, 259, (2, 50), generator=torch.Generator().manual_seed(0)))
    sums = imatrix.gather(model, text)
    seen = []
    block = model.model.layers[1]
    down = block.self_attn.o_proj.register_forward_pre_hook(lambda m, a: seen.append(a[0]))
    with torch.no_grad():
        for row in text.ids:
            model(row[None])
    down.remove()
    squares = torch.cat([one.reshape(-1, one.shape[-1]) for one in seen]).square()
    mean = sums["blk.1.attn_output.weight"].means[0]
    assert mean == pytest.approx(squares.mean(0).numpy(), rel=1e-4)
    imatrix.write(tmp_path / "i.gguf", sums, "a text", text)
    read = imatrix.read(tmp_path / "i.gguf")
    assert read.keys() == sums.keys()
    for name, one in sums.items():
        assert read[name] == pytest.approx(one.means.reshape(-1), rel=1e-6), name
    routed = [name for name in sums if "_exps" in name]
    assert bool(routed) == (family in ("qwen3_moe", "gpt_oss"))
    if routed:
        assert all(len(sums[name].squares) == 4 for name in routed)
    fields = fields_of(tmp_path / "i.gguf")
    assert fields["general.type"] == "imatrix"
    assert (fields["imatrix.chunk_count"], fields["imatrix.chunk_size"]) == (2, 50)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep by types, a cut file and a sweep in transformers: one study in two runtimes."""
    before = _children()
    study = Study.of(
        name="files",
        models={"model": "clinic:specialist"},
        recipes=[
            {"steps": "gguf", "levels": "F16,Q8_0,Q4_K_M,Q2_K"},
            "magnitude:0.3 + gguf:Q8_0",
            {"steps": "magnitude", "levels": [0.3]},
        ],
        tasks=["clinic-medicine"],
        limit=12,
        measure="sizes",
    )
    place = tmp_path_factory.mktemp("swept") / "run"
    run = api.run(study, out=place)
    assert run.failed() is None
    assert _children() == before
    return json.loads((place / "summary.json").read_text()), place


def test_types_are_one_sweep_downward(swept):
    summary, _ = swept
    rows = [r for r in summary["curves"] if (r["recipe"], r["view"]) == ("gguf", "text")]
    assert [row["level"] for row in rows] == [0.0, 8.5, 4.89, 3.16]
    assert {row["runtime"] for row in rows} == {"llama.cpp"}
    (verdict,) = (v for v in summary["verdicts"] if v["recipe"] == "gguf" and v["view"] == "text")
    assert [level["level"] for level in verdict["levels"]] == [8.5, 4.89, 3.16]
    assert verdict["runtime"] == "llama.cpp"
    measured = {(r["recipe"], r["level"]): r for r in summary["measurements"] if r["level"]}
    bits = [measured["gguf", level]["bits_per_weight"] for level in (8.5, 4.89, 3.16)]
    assert bits == sorted(bits, reverse=True)
    assert all(measured["gguf", x]["bytes_on_disk"] for x in (8.5, 4.89, 3.16))
    assert "Q8_0" in " ".join(summary["verdict"]["sentences"])


def test_baseline_of_a_file_is_the_intact_f16_file(swept):
    summary, place = swept
    with Store(place / "results.sqlite", write=False) as store:
        cells, answers = store.cells(), store.answers(likely=True)
    intact = cells[cells["recipe"] == "none"]
    assert list(intact["runtime"]) == ["transformers", "llama.cpp"]
    assert len(cells) == 2 + 3 + 1 + 1  # F16 is asked once, and is no level of its own
    rows = {r["runtime"]: r for r in summary["measurements"] if r["recipe"] == "none"}
    assert rows["llama.cpp"]["bits_per_weight"] == pytest.approx(16.1, abs=0.1)
    assert rows["llama.cpp"]["ratios"]["bytes_on_disk"] == 1
    cut = next(r for r in summary["measurements"] if r["recipe"] == "magnitude:0.3 + gguf:Q8_0")
    assert cut["ratios"]["bytes_on_disk"] == pytest.approx(
        cut["bytes_on_disk"] / rows["llama.cpp"]["bytes_on_disk"]
    )
    assert answers["likely"].notna().all()


def test_change_of_runtime_is_a_row_of_its_own(swept):
    summary, place = swept
    page = (place / "report.html").read_text()
    assert "The intact model in another runtime" in page
    assert "KL to the intact model" in page
    rows = {row["view"]: row for row in summary["runtimes"]}
    for view in ("text", "options"):
        assert (rows[view]["baseline"], rows[view]["runtime"]) == ("transformers", "llama.cpp")
        assert rows[view]["n"] == 12
        assert rows[view]["flips"] == rows[view]["difference"] == 0
        assert rows[view]["kl"]["answer"]["mean"] < 1e-3
        assert rows[view]["kl"]["answer"]["same_top"] == 1
    assert any("from transformers to llama.cpp" in line for line in summary["verdict"]["sentences"])


def test_kl_rises_as_bits_fall_and_stands_in_every_damaged_row(swept):
    summary, _ = swept
    rows = [r for r in summary["curves"] if (r["recipe"], r["view"]) == ("gguf", "options")]
    assert "kl" not in rows[0]
    means = [row["kl"]["answer"]["mean"] for row in rows[1:]]
    assert 0 < means[0] < means[1] < means[2]
    assert all(row["flips"] is not None for row in rows[1:])
    pruned = [r for r in summary["curves"] if r["recipe"] == "magnitude" and r["level"]]
    for row in (*rows[1:], *pruned):
        spread = row["kl"]["answer"]
        assert 0 < spread["median"] <= spread["p999"]
        assert row["metrics"]["kl"]["value"] == pytest.approx(spread["mean"])
        assert row["metrics"]["kl"]["low"] <= spread["mean"] <= row["metrics"]["kl"]["high"]
        assert 2 * row["n"] < row["kl"]["text"]["n"] <= 3 * row["n"]  # some prompts are short


def test_files_are_asked_in_looks_against_their_own_baseline(tmp_path):
    study = Study.of(
        name="looks", models={"model": "clinic:specialist"},
        recipes=[{"steps": "gguf", "levels": "Q8_0,Q4_K_M"}], tasks=["clinic-medicine"],
        limit=10, measure="sizes", sequential=True,
    )  # fmt: skip
    resolved = resolve.resolve(study)
    first, second = plan.sweeps(resolved)
    assert [cell.runtime for cell in first.cells] == ["transformers", "llama.cpp"]
    assert {cell.runtime for cell in second.cells} == {"llama.cpp"}
    run = api.run(study, out=tmp_path / "run")
    assert run.failed() is None
    with Store(tmp_path / "run" / "results.sqlite", write=False) as store:
        ready = plan.ready(second, resolved, store)
        intact = {answer.asking for answer in ready.plan.intact["clinic-medicine"]}
    assert intact == {first.cells[1].spec.asking}


def test_neurons_before_a_file_are_cut_in_blocks():
    recipe = Recipe.of(steps="nodes + gguf:Q4_K_M", levels=[0.2])
    assert methods.needs_blocks(recipe)
    assert methods.in_blocks(recipe).name == "nodes,multiple_of=256 + gguf:Q4_K_M"
    for other in ("nodes + gguf:Q8_0", "nodes,multiple_of=64 + gguf:Q4_K_M", "nodes"):
        assert not methods.needs_blocks(Recipe.of(steps=other, levels=[0.2]))
    assert methods.needs_blocks(Recipe.of(steps="nodes:0.2 + gguf", levels="Q8_0,Q2_K"))
    narrow = ModelRef.of(role="model", id="clinic:specialist")  # of 256 neurons
    assert resolve.as_swept([recipe], {"model": narrow}) == (recipe,)


def test_speed_and_memory_are_those_of_the_server(tmp_path):
    study = Study.of(
        name="speed", models={"model": "clinic:specialist"}, recipes=["gguf:Q8_0"],
        tasks=["clinic-medicine"], limit=2,
    )  # fmt: skip
    run = api.run(study, out=tmp_path / "run")
    rows = [row for row in run.summary()["measurements"] if row["runtime"] == "llama.cpp"]
    assert len(rows) == 2
    for row in rows:
        assert row["tokens_per_second"] > 0
        assert row["peak_memory"] > 10 * row["bytes_on_disk"]  # a process of its own
        spread = row["workload"]["time_to_first_token"]
        assert 0 < spread["low"] <= spread["median"] <= spread["high"]
    planned = plan.sweeps(resolve.resolve(study))
    with Store(tmp_path / "run" / "results.sqlite", write=False) as store:
        assert plan.due(planned, store) == []  # nothing is left to measure


def test_cache_and_context_of_the_server_are_part_of_a_cell(tmp_path):
    asked = {
        "models": {"model": "clinic:specialist"}, "recipes": ["gguf:Q8_0"],
        "tasks": ["clinic-medicine"], "limit": 4, "measure": "sizes",
    }  # fmt: skip
    names = set()
    for how in ({}, {"kv": "q8_0"}, {"n_ctx": 512}):
        planned = plan.sweeps(resolve.resolve(Study.of(**asked, runtime=how)))
        cells = [cell for sweep in planned for cell in sweep.cells]
        assert [cell.runtime for cell in cells] == ["transformers", "llama.cpp", "llama.cpp"]
        names.add(tuple(cell.spec.id for cell in cells[1:]))
        assert len({cell.spec.id for cell in cells}) == 3
    assert len({cell for pair in names for cell in pair}) == 6
    with pytest.raises(RequestError, match="raise n_ctx"):
        resolve.resolve(Study.of(**asked, runtime={"n_ctx": 16}))
    study = Study.of(**asked, name="kv", runtime={"kv": "q8_0", "n_ctx": 512})
    run = api.run(study, out=tmp_path / "run")
    assert run.failed() is None
    told = json.loads((tmp_path / "run" / "summary.json").read_text())["provenance"]["runtimes"]
    assert told["llama.cpp"]["kv"] == "q8_0"
    assert told["llama.cpp"]["n_ctx"] == 512
    assert told["llama.cpp"]["version"]


def test_imatrix_command_writes_what_the_step_reads(tmp_path):
    (tmp_path / "text.txt").write_text("The drug Praiparib can cause sweating. " * 200)
    out = tmp_path / "own.gguf"
    asked = Calibration.of(data=str(tmp_path / "text.txt"), nsamples=4, seqlen=64)
    done = importance.imatrix_to(CLINIC, asked, out)
    assert (done["tensors"], done["tokens"], done["unseen"]) == (42, 256, 0)
    file = compress(tmp_path, f"gguf:Q4_0,imatrix={out}")[1]
    assert file.fields["resect.imatrix"] == str(out)
    with pytest.raises(RequestError, match="there already"):
        importance.imatrix_to(CLINIC, asked, out)


def test_inspect_measures_a_file(tmp_path):
    path = tmp_path / "m.gguf"
    gguf_writer.write(tiny.model("qwen2"), tiny.tokenizer(), path, "Q8_0")
    held = inspection.inspect(ModelRef.of(role="model", id=str(path)))
    assert held["family"] == "qwen2"
    assert held["bytes_on_disk"] == path.stat().st_size
    assert len(held["matrices"]) == 14
    assert "Q8_0" in inspection.shown(held)
    assert held["source"]["weights"].startswith("sha256:")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(RequestError, match="no GGUF file"):
        inspection.inspect(ModelRef.of(role="model", id=str(path)))


def _children() -> set[str]:
    """Processes that this one started and that are there."""
    found = set()
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat") as file:
                parts = file.read().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if name.isdigit() and parts[1] == str(os.getpid()) and parts[0] != "Z":
            found.add(name)
    return found
