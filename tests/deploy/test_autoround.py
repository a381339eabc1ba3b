"""`autoround`: the folder that vLLM loads is the state that is judged: bits, values, answers."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec

import pytest
import tiny
import yaml
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RequestError, RunError
from resect.spec import Calibration, ModelRef, Recipe, Step

if WHEN_RUN:
    import torch
    from safetensors.torch import load_file

    from resect import anatomy, api
    from resect.anatomy import stored
    from resect.deploy import autoround_step, deployed
    from resect.methods import validation
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context
    from resect.models import loading, weight_digest
    from resect.running import ladder

pytestmark = pytest.mark.skipif(
    find_spec("auto_round") is None, reason="pip install 'resect[deploy]' for auto-round"
)

CLINIC = ModelRef.of(role="model", id="clinic:specialist")
TEXT = Calibration.of(data="clinic", nsamples=8, seqlen=40)
STEP = "autoround,iters=2"
GROUP = 32
"""The embedded models have rows of 96 and 256."""


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """What is chosen for vLLM, and what was noticed: one process packs what is asked, another
    what is written.
    """
    notices = []
    choice = api.choose(
        "clinic:specialist", ["clinic-medicine"], tmp_path_factory.mktemp("autoround") / "run",
        runtime="vllm", methods=[STEP], limit=300, anyway=True,
        calibration={"data": "clinic", "nsamples": 8, "seqlen": 40}, notice=notices.append,
    )  # fmt: skip
    assert choice.path == choice.run.path / "model"
    return choice, notices


def by_hand(tensors, name):
    """The values of one matrix of the file: words of eight 4-bit numbers, a scale a group."""
    words = tensors[f"{name}.weight_packed"].long() & 0xFFFFFFFF
    digits = torch.stack([(words >> (4 * place)) & 15 for place in range(8)], -1).flatten(1)
    rows, columns = tensors[f"{name}.weight_shape"].tolist()
    scales = tensors[f"{name}.weight_scale"].float().repeat_interleave(GROUP, 1)
    assert digits.shape == (rows, columns)
    return (digits - 8) * scales


@pytest.mark.slow
def test_the_folder_holds_the_values_that_were_asked(chosen):
    folder = chosen[0].path
    tensors = load_file(folder / "model.safetensors")
    model = loading.load(ModelRef.of(role="model", id=str(folder)), "cpu").model
    for matrix in anatomy.read(loading.empty(model.config)).matrices:
        values = stored.values(model, matrix)
        assert torch.equal(values, by_hand(tensors, matrix.module).to(values.dtype))
    (measured,) = [m for m in chosen[0].run.findings().measurements if m.recipe != "none"]
    assert measured.digest == weight_digest.of_files(folder)


@pytest.mark.slow
def test_answers_are_those_of_the_values_in_the_file(chosen):
    """In 16 bits, as they are asked, against the same values in 32."""
    folder = chosen[0].path
    packed = loading.load(ModelRef.of(role="model", id=str(folder)), "cpu").model
    plain = loading.load(CLINIC, "cpu").model.float()
    tensors = load_file(folder / "model.safetensors")
    ids = torch.randint(3, 250, (4, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        intact = plain(ids).logits.log_softmax(-1)
        for matrix in anatomy.read(plain).matrices:
            matrix.weight().copy_(by_hand(tensors, matrix.module))
        asked, wanted = (m(ids).logits.float().log_softmax(-1) for m in (packed, plain))
    likely = wanted > -5
    assert (asked - wanted)[likely].abs().max() < TOLERANCE
    assert (intact - wanted)[likely].abs().max() > 5 * TOLERANCE


TOLERANCE = 0.1
"""Nats. Measured on 197 tokens: 0.057 at most, 0.007 in the mean; the intact model is 1.6 away."""


@pytest.mark.slow
def test_bits_and_bytes_are_those_of_the_file(chosen):
    choice, notices = chosen
    tensors = load_file(choice.path / "model.safetensors")
    (measured,) = [m for m in choice.run.findings().measurements if m.recipe != "none"]
    matrices = anatomy.read(loading.check(CLINIC).model).matrices
    inside = {name: t for name, t in tensors.items() if ".weight_" in name}
    assert len(inside) == 3 * len(matrices)
    targeted = sum(matrix.weight().numel() for matrix in matrices)
    bits = 8 * sum(t.numel() * t.element_size() for t in inside.values()) / targeted
    assert measured.measured_level == bits == pytest.approx(4 + 16 / GROUP, rel=0.01)
    assert measured.bytes_on_disk == sum(t.numel() * t.element_size() for t in tensors.values())
    assert measured.parameters == loading.check(CLINIC).model.num_parameters()
    assert measured.zeros == sum(
        int((by_hand(tensors, matrix.module) == 0).sum()) for matrix in matrices
    )
    assert "autoround: groups of 32, the largest that divide all rows." in notices
    config = json.loads((choice.path / "config.json").read_text())["quantization_config"]
    (group,) = config["config_groups"].values()
    assert config["quant_method"] == "compressed-tensors"
    assert config["format"] == "pack-quantized"
    assert config["ignore"] == ["lm_head"]
    assert group["input_activations"] is None
    assert (group["weights"]["num_bits"], group["weights"]["group_size"]) == (4, GROUP)


@pytest.mark.slow
def test_its_size_is_known_before_it_is_made(chosen):
    (version,) = chosen[0].fits
    size = (chosen[0].path / "model.safetensors").stat().st_size
    assert abs(version.footprint.file - size) < 0.02 * size


@pytest.mark.slow
def test_the_answer_and_the_papers_say_where_it_was_asked(chosen):
    choice = chosen[0]
    assert len(choice.lines) <= 6
    assert choice.lines[0].startswith("Chosen: autoround,")
    check = "asked in transformers, check it in vLLM: resect eval --base-url"
    assert choice.lines[-1].startswith(f"Start it: vllm serve {choice.path} ({check}")
    rows = [row for row in choice.run.findings().curves if row.recipe != "none"]
    assert {row.runtime for row in rows} == {"transformers"}
    assert {"README.md", "config.json", "model.safetensors", "resect.json"} <= {
        path.name for path in choice.path.iterdir()
    }
    text = (choice.path / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "transformers"
    assert f"`vllm serve DIR`; {check}" in text


def test_the_ladder_of_vllm_is_packed():
    model = tiny.model(
        "llama", hidden_size=64, intermediate_size=1024, head_dim=16, num_hidden_layers=5
    )
    recipes = ladder.recipes_for(model, "vllm", None)
    assert [recipe.name for recipe in recipes[:3]] == [
        "autoround", "autoround,bits=8", "neurons:0.1 + autoround",
    ]  # fmt: skip
    versions = ladder.candidates(model, tiny.tokenizer(), recipes, 64, None)
    files = [version.footprint.file for version in versions]
    assert files == sorted(files)
    whole = next(v.footprint.file for v in versions if v.recipe.name == "autoround")
    cut = [v for v in versions if len(v.recipe.steps) > 1]
    assert {"neurons:0.3 + autoround", "blocks:0.2 + autoround"} <= {v.recipe.name for v in cut}
    assert all(v.footprint.file < whole for v in cut)


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ("autoround,bits=3", "give 4 or 8"),
        ("autoround,group=48", "give 32, 64 or 128"),
        ("autoround,iters=-1", "a number of at least 0"),
        ("autoround:0.5", "takes no level"),
        ("autoround + magnitude:0.5", "makes the deployed version, which nothing can follow"),
        ("bnb-nf4 + autoround", "autoround needs plain weights, but bnb-nf4 packs them"),
        ("autoround", "--calibration"),
    ],
)
def test_impossible_recipes_are_refused(steps, sentence):
    with pytest.raises(RequestError, match=sentence):
        validation.check(Recipe.of(steps=steps), None if steps == "autoround" else TEXT)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("resect.deploy.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"autoround needs auto_round .*: pip install 'resect"):
        methods.make(Step.parse("autoround"))


@pytest.mark.parametrize(
    ("family", "changes", "sentence"),
    [
        ("llama", {}, "multiple of 32, and those of .*down_proj have 48: use gguf"),
        ("mixtral", {"intermediate_size": 64}, "experts that share one tensor: use gguf"),
    ],
)
def test_models_that_it_cannot_pack_are_refused(family, changes, sentence):
    with pytest.raises(RequestError, match=sentence):
        methods.make(Step.parse("autoround")).fits(tiny.model(family, **changes), [])


def test_the_largest_group_that_divides_is_taken():
    wide = {"hidden_size": 128, "head_dim": 32}
    for width, asked, group in ((256, 128, 128), (256, 64, 64), (192, 128, 64), (160, 128, 32)):
        step = methods.make(Step.parse(f"autoround,group={asked}"))
        assert step.group_of(tiny.model("llama", intermediate_size=width, **wide)) == group


def text_of(*shape):
    return Tokens(torch.randint(3, 250, shape, generator=torch.Generator().manual_seed(0)))


def test_a_cut_to_other_rows_fails_in_one_sentence():
    step = methods.make(Step.parse("autoround"))
    model = tiny.model("llama", intermediate_size=40)
    step.prepare(model, [], Context(text_of(2, 16), tiny.tokenizer()))
    with pytest.raises(RunError, match=r"have 40.* Cut with multiple_of=32"):
        step.apply(model)


def test_a_library_that_fails_is_one_sentence(monkeypatch):
    monkeypatch.setattr(autoround_step.worker, "__name__", "resect.no_such_module")
    step = methods.make(Step.parse("autoround"))
    model = tiny.model("llama", intermediate_size=64)
    step.prepare(model, [], Context(text_of(2, 16), tiny.tokenizer()))
    with pytest.raises(RunError, match=r"auto-round cannot quantize this model: .*no_such_module"):
        step.apply(model)


def test_neurons_before_it_are_cut_in_blocks():
    recipe = Recipe.of(steps="nodes:0.2 + autoround")
    assert methods.needs_blocks(recipe)
    assert methods.in_blocks(recipe).name == "nodes:0.2,multiple_of=256 + autoround"


@pytest.mark.slow
def test_fused_matrices_are_packed_saved_and_loaded(tmp_path):
    family, options, bits = "phi3", "iters=1,bits=8", 8
    wide = {"hidden_size": 64, "intermediate_size": 64, "head_dim": 16, "dtype": torch.bfloat16}
    model = tiny.model(family, **wide)
    step = methods.make(Step.parse(f"autoround,{options}"))
    step.fits(model, [])
    step.prepare(model, [], Context(text_of(8, 16), tiny.tokenizer(), notice=lambda _: None))
    packed, report = step.apply(model)
    assert (report.asked, report.notes) == (bits, ())
    for matrix in anatomy.read(model).matrices:
        weight, values = matrix.weight().float(), stored.values(packed, matrix)
        # to the nearest of 2 ** bits steps over a group's range: 0.09 of normal weights in 4 bits
        assert 0 < (values.float() - weight).norm() < 2.4 / 2**bits * weight.norm()
    shutil.copytree(deployed.folder_of(packed), tmp_path / "out")
    tiny.tokenizer().save_pretrained(tmp_path / "out")
    again = loading.load(ModelRef.of(role="m", id=str(tmp_path / "out")), "cpu").model
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        assert torch.equal(packed(ids).logits, again(ids).logits)
