"""Quantizers: bits as theory says, what stayed is named, chains that make sense, saved, loaded."""

from __future__ import annotations

import copy

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.cli import main
from resect.errors import RequestError
from resect.spec import METHODS, ModelRef, Recipe, Step

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect import anatomy
    from resect.anatomy import stored
    from resect.methods.step import Context
    from resect.methods.validation import check, fits
    from resect.models import library_patches, loading
    from resect.running.measure import sizes as measure
    from resect.running.measure import workload
    from resect.running.standing import apply_all


# what theory says of a weight in a matrix inside the blocks, tables left out
BITS = {
    "bnb-int8": 8 + 32 / 512,
    "bnb-nf4": 4 + 8 / 64 + 32 / (64 * 256),
    "torchao-int8": 8 + 16 / 512,
}
WIDE = {"hidden_size": 512, "intermediate_size": 512, "num_attention_heads": 8,
        "num_key_value_heads": 8, "head_dim": 64, "num_hidden_layers": 1}  # fmt: skip


def test_every_method_without_a_level_has_a_case():
    here = {n: e for n, e in METHODS.items() if e.where.startswith("resect.methods.")}
    without = {name for name, entry in here.items() if entry.dose is None}
    assert set(BITS) | {"torchao-int4", "checkpoint"} == without


def test_a_library_without_kernels_for_this_machine_is_refused(monkeypatch):
    def none_here(*_):
        raise ImportError("Requires a kernel package")

    monkeypatch.setattr("torchao.quantization.quantize_", none_here)
    with pytest.raises(RequestError, match=r"Requires a kernel package.*: use bnb-nf4"):
        methods.make(Step.parse("torchao-int4")).fits(tiny.model("llama"), [])


def quantized(model, name):
    method = methods.make(Step.parse(name))
    method.fits(model, [])
    method.prepare(model, [], Context())
    return method.apply(model, None)


def by_hand(weight):
    """The values of a 4-bit matrix: one row of blocks of 64, whatever its shape."""
    state = weight.quant_state
    scales = state.absmax.double()
    if state.nested:  # scales in blocks of 256 themselves
        inner = state.state2
        scales = inner.code.double()[state.absmax.long()]
        scales = scales * inner.absmax.double().repeat_interleave(256)[: scales.numel()]
        scales += state.offset.double()
    pairs = weight.data.flatten().long()
    values = state.code.double()[torch.stack([pairs >> 4, pairs & 15], 1).flatten()]
    found = values * scales.repeat_interleave(64)[: values.numel()]
    return found[: state.shape.numel()].view(state.shape)


@pytest.mark.parametrize("step", ["bnb-nf4", "bnb-nf4,double_quant=false"])
def test_rows_of_any_width_are_unpacked_as_they_were_packed(step):
    """bitsandbytes' own kernel for the CPU wants a multiple of 64; cut models seldom have that."""
    model = tiny.model("mistral", hidden_size=96, intermediate_size=154, num_hidden_layers=1)
    found, _ = quantized(copy.deepcopy(model), step)
    for name, layer in found.model.layers.named_modules():
        if not hasattr(getattr(layer, "weight", None), "quant_state"):
            continue
        wanted = by_hand(layer.weight)
        plain = model.model.layers.get_submodule(name).weight
        assert (wanted - plain).norm() < 0.1 * plain.norm()
        assert torch.allclose(stored.dense(layer, "weight").double(), wanted, atol=1e-6)
        x = torch.randn(3, layer.in_features)
        torch.testing.assert_close(layer(x), x @ wanted.float().T, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", BITS)
def test_bits_are_those_of_theory(name):
    model = tiny.model("mistral", dtype=torch.bfloat16, **WIDE)
    found, report = quantized(copy.deepcopy(model), name)
    assert report.measured == pytest.approx(BITS[name], rel=0.05)
    assert report.measured > BITS[name] - 1e-9  # tables are counted
    assert report.notes == ()
    assert report.targeted == measure.size(model).targeted
    size = measure.size(found)
    assert size.parameters == measure.size(model).parameters
    assert 8 * (size.parts["matrices"] + size.parts["tables"]) / size.targeted == report.measured
    assert sum(size.parts.values()) == size.bytes_on_disk < measure.size(model).bytes_on_disk


def test_every_table_of_four_bits_is_small_and_itemised():
    model = tiny.model("mistral", dtype=torch.bfloat16, **WIDE)
    found, _ = quantized(model, "bnb-nf4")
    size = measure.size(found)
    matrices = size.targeted // (512 * 512)
    scales = size.targeted // 64 * (1 + 4 / 256)
    assert size.parts["matrices"] == size.targeted // 2
    assert 1000 < (size.parts["tables"] - scales) / matrices < 1500


# They have linear layers of a few rows, which a fast path of bitsandbytes cannot take.
NARROW = ("qwen2_moe", "qwen3_5_moe_text", "nemotron_h", "deepseek_v3")


# DeepSeek's latent attention has inputs of four dimensions, which bitsandbytes' 8 bits (0.50) do
# not take on a processor.
PAIRS = [
    (family, name)
    for family in tiny.FAMILIES
    for name in ("bnb-nf4", "bnb-int8")
    if (family, name) != ("deepseek_v3", "bnb-int8")
]


@pytest.mark.parametrize("name", ["bnb-int8", "bnb-nf4"])
def test_a_packed_checkpoint_can_be_saved_again(name, tmp_path):
    """As measuring it in a process apart needs; transformers alone cannot turn 4 bits back."""
    found, _ = quantized(tiny.model("mistral", hidden_size=64, head_dim=16), name)
    loaded = []
    for folder in (tmp_path / "once", tmp_path / "twice"):
        found.save_pretrained(folder)
        tiny.tokenizer().save_pretrained(folder)
        found = loading.load(ModelRef(role="m", id=str(folder)), "cpu").model
        loaded.append(found)
    with torch.no_grad():
        once, twice = (model(torch.arange(3, 20)[None]).logits for model in loaded)
    assert torch.equal(once, twice)


@pytest.mark.parametrize(("family", "name"), PAIRS)
def test_every_family_is_quantized_answers_saves_and_loads(family, name, tmp_path):
    wide = {"hidden_size": 64, "intermediate_size": 64, "moe_intermediate_size": 64}
    wide |= {} if family in ("olmoe", "deepseek_v3") else {"head_dim": 16}
    model = tiny.model(family, dtype=torch.bfloat16, **wide)
    whole = measure.size(model)
    found, report = quantized(model, name)
    found.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    size = measure.size(found)
    ids = torch.randint(3, 250, (2, 9), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = found(ids).logits
        assert torch.isfinite(logits).all()
        again = AutoModelForCausalLM.from_pretrained(tmp_path)
        if family in NARROW:
            library_patches.patch_after_load(again)
        assert torch.equal(again(ids).logits, logits)
    assert size.parameters == whole.parameters
    assert size.targeted == whole.targeted
    # experts in one tensor are no linear layers: the libraries leave them as they are
    routed = family in tiny.ROUTED
    assert bool(report.notes) == routed
    assert ("not quantized" in report.scope) == routed
    ref = ModelRef(role="m", id=str(tmp_path), dtype="bfloat16")  # auto may compute in float32
    assert loading.is_packed(ref)
    assert measure.size(loading.load(ref, "cpu").model) == size
    assert loading.check(ref).model.device.type == "meta"


def test_matrices_that_a_fast_path_cannot_take_are_asked_all_the_same():
    """Rows of 32 or 96 are no multiple of the block of 64."""
    model = tiny.model("llama", dtype=torch.bfloat16, hidden_size=96, intermediate_size=256)
    ids = torch.arange(3, 23)[None]
    with torch.no_grad():
        before = model(ids).logits
        found, _ = quantized(model, "bnb-nf4")
        after = found(ids).logits
    assert (after - before).abs().mean() < before.abs().mean()


def test_zeros_stay_zeros_when_quantized():
    model = tiny.model("llama", dtype=torch.bfloat16, **WIDE)
    model, reports = apply_all(
        model, Recipe.of(steps="magnitude:0.5 + bnb-nf4").steps, 0, Context()
    )
    assert [report.step for report in reports] == ["magnitude", "bnb-nf4"]
    # small weights may round to zero, none may leave it
    assert reports[1].gone >= reports[0].gone
    assert measure.size(model).zeros == reports[1].gone


def test_nothing_but_an_adapter_follows_packed_weights():
    with pytest.raises(RequestError, match="magnitude needs plain weights, but bnb-nf4 packs"):
        check(Recipe.of(steps="bnb-nf4 + magnitude:0.5"), None)
    with pytest.raises(RequestError, match="bnb-int8 needs plain weights"):
        check(Recipe.of(steps="bnb-nf4 + bnb-int8"), None)


PLAIN = ("magnitude:0.5,scope=row", "random:0.5", "wanda:0.5", "ria:0.5", "sparsegpt:0.5",
         "nodes:0.5", "neurons:0.5,criterion=random", "heads:0.5", "blocks:0.5", "hidden:0.5",
         "experts:0.5", "bnb-nf4", "bnb-int8", "torchao-int8", "torchao-int4",
         "finetune,data=clinic", "gguf:Q8_0", "autoround")  # fmt: skip
ANY = ("lora,data=clinic", "distill,data=clinic", "checkpoint:clinic:base")


@pytest.fixture(scope="module")
def four_bits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("four") / "bits"
    found, _ = quantized(tiny.model("llama"), "bnb-nf4")
    found.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder, found


def test_every_method_has_said_whether_it_takes_packed_weights():
    assert {Step.parse(step).method for step in PLAIN + ANY} == set(METHODS)


@pytest.mark.parametrize("step", PLAIN)
def test_a_packed_model_is_left_alone(step, four_bits):
    """As loaded, and as it is looked at before anything is loaded."""
    folder, loaded = four_bits
    method = methods.make(Step.parse(step))
    for model in (loaded, loading.check(ModelRef(role="m", id=str(folder))).model):
        with pytest.raises(RequestError, match=r"model is quantized|train quantized weights"):
            method.fits(model, [0.5])


@pytest.mark.parametrize("step", ANY)
def test_an_adapter_or_another_model_goes_with_a_packed_one(step, four_bits):
    folder, _ = four_bits
    method = methods.make(Step.parse(step))
    method.fits(loading.check(ModelRef(role="m", id=str(folder))).model, [])


def test_compress_refuses_a_packed_checkpoint(four_bits, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["compress", str(four_bits[0]), "--step", "random:0.5", "--out", str(out)]
    assert main(asked) == 2
    assert "random needs plain weights, but the model is quantized" in capsys.readouterr().err
    assert not out.exists()


def test_what_comes_after_another_checkpoint_is_judged_by_that_one(four_bits, tmp_path):
    packed, plain = (loading.check(ModelRef(role="m", id=str(at))).model for at in (
        four_bits[0], tiny.save(tmp_path / "plain", "llama")))  # fmt: skip
    for model, other in ((packed, tmp_path / "plain"), (plain, tmp_path / "plain")):
        recipe = Recipe.of(steps=f"checkpoint:{other} + magnitude:0.5")
        fits(check(recipe, None), recipe, model)
    narrow = tiny.save(tmp_path / "narrow", "llama", intermediate_size=50)
    recipe = Recipe.of(steps=f"checkpoint:{narrow} + magnitude,pattern=2:4")
    with pytest.raises(RequestError, match="divides by 4"):
        fits(check(recipe, None), recipe, plain)


def test_mxfp4_is_unpacked_and_can_be_pruned(tmp_path):
    folder, _ = tiny.save_mxfp4(tmp_path)
    model = loading.check(ModelRef(role="m", id=str(folder))).model
    assert not stored.is_quantized(model)
    methods.make(Step.parse("magnitude:0.5")).fits(model, [0.5])


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("bnb-nf4:4", "takes no level"),
        ("bnb-nf4,compute_dtype=float", "did you mean float"),
        ("bnb-nf4,double_quant=maybe", "give true or false"),
        ("torchao-int4,group_size=100", "32, 64, 128 or 256"),
        ("checkpoint", "write checkpoint:DIRECTORY_OR_HUB_ID"),
        ("magnitude:half", "level 'half' is not a number"),
    ],
)
def test_a_wrong_step_is_named(step, sentence):
    with pytest.raises(RequestError, match=sentence):
        methods.check(Step.parse(step))


def test_a_step_may_name_a_model():
    step = Step.parse("checkpoint:./some/dir,revision=main")
    assert step.options == {"id": "./some/dir", "revision": "main"}
    assert Step.parse(str(step)) == step
    assert str(Step.parse("checkpoint:org/name-4bit")) == "checkpoint:org/name-4bit"


def test_somebody_elses_checkpoint_in_place_of_the_model(tmp_path):
    model = tiny.model("qwen2", dtype=torch.bfloat16)
    (other, _), said = quantized(copy.deepcopy(model), "bnb-nf4"), []
    other.save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    words = loading.check(ModelRef(role="m", id=str(tmp_path))).tokenizer
    (tmp_path / "README.md").write_text("---\nbase_model: org/another\n---\n")
    method = methods.make(Step.parse(f"checkpoint:{tmp_path}"))
    assert method.terminal
    assert method.sources()[0].startswith("sha256:")
    source = ModelRef(role="base", id="org/parent")
    method.prepare(model, [], Context(None, words, source, said.append))
    found, report = method.apply(model, None)
    assert stored.is_quantized(found)
    assert report.targeted == measure.size(model).targeted
    assert said == [f"{tmp_path} names org/another as its base, not org/parent."]
    words.add_tokens(["more"])
    with pytest.raises(RequestError, match="another tokenizer"):
        method.prepare(model, [], Context(None, words))


def test_compress_writes_a_quantized_model(tmp_path, capsys):
    source = tiny.save(tmp_path / "source", "llama", **WIDE)
    out = tmp_path / "out"
    steps = ["--step", "magnitude:0.5", "--step", "bnb-nf4"]
    assert main(["compress", str(source), *steps, "--out", str(out)]) == 0
    assert "bits a weight" in capsys.readouterr().out
    found = AutoModelForCausalLM.from_pretrained(out)
    assert stored.is_quantized(found)
    assert main(["inspect", str(out), "--json"]) == 0


@pytest.mark.slow
def test_a_quantized_model_is_measured_in_a_fresh_process():
    for name in ("bnb-nf4", "torchao-int8"):
        found, _ = quantized(tiny.model("llama", dtype=torch.bfloat16), name)
        assert workload.measured(found)["flops_per_token"] is None


def test_dense_values_of_plain_and_unknown_weights():
    model = tiny.model("llama")
    matrix = anatomy.read(model).matrices[0]
    assert torch.equal(stored.dense(matrix.owner, "weight"), matrix.weight())
    assert stored.dense(matrix.owner, "bias") is None
    matrix.owner.weight = torch.nn.Parameter(torch.zeros(2, 2, dtype=torch.uint8), False)
    assert stored.dense(matrix.owner, "weight") is None
