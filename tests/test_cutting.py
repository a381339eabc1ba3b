"""Cut models: every family loads what was cut, and a part that does nothing can go unseen."""

from __future__ import annotations

import copy

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RequestError, RunError
from resect.spec import ModelRef, Recipe, Step

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect.anatomy import attention as heads
    from resect.anatomy import mlp
    from resect.anatomy.config import built, describes
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context
    from resect.running import compression, inspection

    PROMPT = torch.arange(3, 20)[None]

    TEXT = Context(
        Tokens(torch.randint(3, 259, (4, 24), generator=torch.Generator().manual_seed(3)))
    )


REFUSED = {
    ("deepseek_v3", "heads"): "no attention with query, key, value and output heads",
    ("qwen3_5_moe_text", "blocks"): "without its blocks 1 has no block left that attends",
    ("nemotron_h", "blocks"): "without its blocks 2, 3 has no block left that attends",
}
"""Latent attention has no heads of its own; of these, the one block that attends would go."""


def after(step: str, model, level: float):
    """A copy of the model after one step, and what was reported."""
    method = methods.make(Step.parse(step))
    method.fits(model, [level])
    model = copy.deepcopy(model)
    method.prepare(model, [level], TEXT)
    return method.apply(model, level)


@tiny.no_grad
def logits(model) -> torch.Tensor:
    return model(PROMPT).logits


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("step", ["neurons", "heads", "heads,by=query", "blocks"])
def test_every_family_loads_what_was_cut(family, step, tmp_path):
    """Also where a config takes no other number of heads: then they are silent, and it says so."""
    more = {"num_hidden_layers": 3, "tie_word_embeddings": family == "qwen2"}
    model = tiny.model(family, **(more if family in tiny.DENSE else {}))
    if refused := REFUSED.get((family, step.partition(",")[0])):
        with pytest.raises((RequestError, RunError), match=refused):
            after(step, model, 0.5)
        return
    cut, report = after(step, model, 0.5)
    silent = family == "olmoe" and "heads" in step
    assert report.physical != silent
    assert report.gone > 0
    assert (cut.num_parameters() < model.num_parameters()) == (not silent)
    cut.save_pretrained(tmp_path)
    found = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert found.num_parameters() == cut.num_parameters()
    assert all(map(torch.equal, cut.parameters(), found.parameters()))
    # where a tensor lies in memory decides the kernel on some processors, and so the last digit
    torch.testing.assert_close(logits(cut), logits(found), rtol=1e-5, atol=1e-6)
    texts = [m.generate(PROMPT, max_new_tokens=4, do_sample=False) for m in (cut, found)]
    assert torch.equal(*texts)


@pytest.mark.parametrize("family", ["llama", "phi3", "mixtral", "gpt_oss"])
def test_a_dead_neuron_goes_first_and_is_not_missed(family):
    model = tiny.model(family)
    for one in mlp.read(model):
        for up in one.ups:
            up.weight()[5:13].zero_()
        one.down.weight()[:, 5:13].zero_()
    for experts in (m for m in model.modules() if hasattr(m, "gate_up_proj_bias")):
        experts.gate_up_proj_bias.data.zero_()
    for criterion in ("magnitude", "activation"):
        cut, report = after(f"neurons,criterion={criterion}", model, 0.17)
        assert report.gone == 8 * len(mlp.read(model))
        torch.testing.assert_close(logits(cut), logits(model), atol=1e-5, rtol=0)
        wrong, _ = after(f"neurons,criterion={criterion},order=reverse", model, 0.17)
        assert not torch.allclose(logits(wrong), logits(model), atol=1e-2)


def test_a_decisive_neuron_is_kept_to_the_last():
    """One neuron carries nearly all that an MLP says: it is the last to go."""
    model = tiny.model("mistral", num_hidden_layers=1)
    (one,) = mlp.read(model)
    for part in (*one.ups, one.down):
        (part.weight()[:, 7] if part is one.down else part.weight()[7]).mul_(30)
    for criterion in ("magnitude", "activation"):
        cut, _ = after(f"neurons,criterion={criterion}", model, 0.96)
        (left,) = mlp.read(cut)
        assert left.width == 2
        assert one.down.weight()[:, 7].tolist() in left.down.weight().T.tolist()


@pytest.mark.parametrize("by", ["group", "query"])
@pytest.mark.parametrize("family", ["mistral", "qwen3", "phi3", "gpt_oss", "olmoe"])
def test_a_dead_head_goes_first_and_is_not_missed(family, by):
    """Whether it is cut out or, where the config takes no other count, silenced."""
    model = tiny.model(family)
    for one in heads.read(model):
        dead = torch.tensor([1] if by == "query" else [0, 1])
        if by == "query":
            dead = torch.tensor([1, 2])  # one of each group
        rows = heads.spread(dead, one.size)
        one.query.weight()[rows] = 0
        one.out.weight()[:, rows] = 0
        if by == "group":
            one.value.weight()[: one.size] = 0
            one.key.weight()[: one.size] = 0
    cut, report = after(f"heads,by={by}", model, 0.5)
    assert report.measured == 0.5
    torch.testing.assert_close(logits(cut), logits(model), atol=1e-5, rtol=0)


def test_silent_heads_equal_heads_cut_out():
    model = tiny.model("gpt_oss")
    cut, _ = after("heads", model, 0.5)
    silent, method = copy.deepcopy(model), methods.make(Step.parse("heads"))
    method.prepare(silent, [0.5], TEXT)
    method._takes = lambda model, count: False
    silent, report = method.apply(silent, 0.5)
    assert not report.physical
    assert silent.num_parameters() == model.num_parameters()
    torch.testing.assert_close(logits(cut), logits(silent), atol=1e-5, rtol=0)


def test_a_block_that_passes_its_input_on_goes_first_and_is_not_missed():
    model = tiny.model("gemma3_text", num_hidden_layers=4)
    still = model.model.layers[2]
    for name, weight in still.named_parameters():
        if "norm" in name and "post" in name:
            weight.data.fill_(-1)  # gemma's norms multiply by 1 + weight
    cut, report = after("blocks", model, 0.25)
    assert report.gone == 1
    assert cut.config.layer_types == [model.config.layer_types[i] for i in (0, 1, 3)]
    assert [layer.self_attn.layer_idx for layer in cut.model.layers] == [0, 1, 2]
    torch.testing.assert_close(logits(cut), logits(model), atol=1e-5, rtol=0)


class TestHeadCountsThatAConfigTakes:
    """Llama refuses a hidden size that is no multiple of the number of heads."""

    def model(self, family="llama"):
        return tiny.model(family, num_attention_heads=8, num_key_value_heads=8, head_dim=4)

    @pytest.mark.parametrize(
        ("level", "gone", "physical"),
        # 8 heads at hidden size 32: 4, 2 and 1 are taken
        [(0.2, 1, False), (0.375, 3, False), (0.5, 4, True), (0.7, 4, True), (0.75, 6, True)],
    )
    def test_levels_snap_to_them_and_below_the_first_heads_are_silent(self, level, gone, physical):
        model = self.model()
        cut, report = after("heads", model, level)
        assert (report.gone, report.physical) == (2 * gone, physical)
        assert (report.asked, report.measured) == (level, gone / 8)
        assert cut.config.num_attention_heads == (8 - gone if physical else 8)

    def test_a_family_that_takes_any_count_does_not_snap(self):
        cut, report = after("heads", self.model("mistral"), 0.375)
        assert (report.gone, report.physical) == (6, True)
        assert (cut.config.num_attention_heads, cut.config.head_dim) == (5, 4)

    def test_walking_over_silent_heads_equals_going_straight(self):
        walked, method = self.model(), methods.make(Step.parse("heads"))
        method.prepare(walked, [0.2, 0.5, 0.75], TEXT)
        for level in (0.2, 0.5, 0.75):
            walked, _ = method.apply(walked, level)
        straight, _ = after("heads", self.model(), 0.75)
        assert torch.equal(logits(walked), logits(straight))


def test_the_width_that_a_config_says_is_found_for_every_kind_of_mlp():
    """Shared experts side by side have one width, twice that of a routed expert."""
    model = tiny.model(
        "deepseek_v3", num_hidden_layers=2, first_k_dense_replace=1, num_key_value_heads=4,
        head_dim=4, kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4,
        v_head_dim=8, n_routed_experts=8, n_shared_experts=2, n_group=2, topk_group=1,
        moe_intermediate_size=16, num_experts_per_tok=2,
    )  # fmt: skip
    found = mlp.widths(model)
    assert {(name.split(".")[-1], *width) for name, width in found.items()} == {
        ("mlp", "intermediate_size", 48, 1),
        ("shared_experts", "moe_intermediate_size", 16, 2),
        *((str(expert), "moe_intermediate_size", 16, 1) for expert in range(8)),
    }
    cut, report = after("neurons,criterion=magnitude", model, 0.5)
    assert (cut.config.intermediate_size, cut.config.moe_intermediate_size) == (24, 8)
    assert report.gone * 2 == report.targeted


def test_a_config_that_cannot_say_it_is_refused():
    model = tiny.model("mistral")
    assert built(model, {"num_attention_heads": 3, "head_dim": 8, "num_key_value_heads": 1})
    assert built(model, {"hidden_act": "none such"}) is None
    assert not describes(model, {"intermediate_size": 40}, lambda whole: None)
    model.model.layers[1].mlp = type(model.model.layers[1].mlp)(
        tiny.config("mistral", intermediate_size=40)
    )
    with pytest.raises(RequestError, match="no field of the config says how wide"):
        mlp.widths(model)


def test_a_hub_model_must_name_its_texts():
    with pytest.raises(RequestError, match="compares two texts: name them"):
        methods.make(Step.parse("neurons,criterion=selectivity")).fits(tiny.model("llama"), [0.5])


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (1000, 1840, "weights on disk: 1,000 bytes before, 1,840 bytes after (84.0 % larger)"),
        (1000, 750, "weights on disk: 1,000 bytes before, 750 bytes after (25.0 % smaller)"),
        (9999, 9998, "weights on disk: 9,999 bytes before, 9,998 bytes after (the same size)"),
        (None, 750, "weights on disk: 750 bytes"),
        (None, None, ""),
    ],
)
def test_the_size_before_and_after_is_one_line(before, after, line):
    done = {"source": {"bytes_on_disk": before}, "bytes_on_disk": after, "steps": []}
    assert compression.shown(done) == line


def test_compress_says_what_it_cut_and_inspect_counts_what_is_left(tmp_path):
    source, ref = tmp_path / "whole", tmp_path / "cut"
    tiny.save(source, "llama", num_attention_heads=8, num_key_value_heads=8, head_dim=4)
    model = ModelRef.of(role="model", id=str(source))
    steps = "magnitude:0.5 + neurons:0.25,criterion=magnitude + heads:0.2,criterion=norm"
    done = compression.compress_to(model, Recipe.of(steps=steps), ref)
    said = compression.shown(done)
    assert "neurons: 24 of 96 neurons removed" in said
    assert "heads: 2 of 16 groups of attention heads zeroed in place" in said
    before, after = done["source"]["bytes_on_disk"], done["bytes_on_disk"]
    last = said.splitlines()[-1]
    assert last.startswith(f"weights on disk: {before:,} bytes before, {after:,} bytes after (")
    assert last.endswith("% smaller)")
    found = inspection.inspect(ModelRef.of(role="model", id=str(ref)))
    assert (found["neurons"], found["heads"], found["blocks"]) == (72, 16, 2)
    assert 0.4 < found["zeros"] < 0.7
    assert [step["unit"] for step in done["steps"]] == [
        "weights", "neurons", "groups of attention heads",
    ]  # fmt: skip
    assert torch.isfinite(logits(AutoModelForCausalLM.from_pretrained(ref))).all()
