"""Hidden channels: Minitron's score in float64, what is cut where, and what is refused."""

from __future__ import annotations

import copy

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RequestError
from resect.spec import Step

if WHEN_RUN:
    import torch

    from resect.anatomy import hidden
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context

    TEXT = Tokens(torch.randint(3, 259, (4, 24), generator=torch.Generator().manual_seed(3)))


def test_the_score_is_minitrons():
    """Every norm by its own formula on what plain hooks saw come to it."""
    model = tiny.model("mistral")
    seen: dict[str, list[torch.Tensor]] = {}
    norms = {n: m for n, m in model.named_modules() if n.endswith(("layernorm", "model.norm"))}
    assert len(norms) == 5
    for name, norm in norms.items():
        norm.register_forward_pre_hook(
            lambda _, x, name=name: seen.setdefault(name, []).append(x[0][0].double())
        )
    expected = torch.zeros(32, dtype=torch.float64)
    with torch.no_grad():
        for row in TEXT.ids:
            model(row[None])
    for name, norm in norms.items():
        total = torch.zeros(32, dtype=torch.float64)
        for x in seen[name]:
            y = x / (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).sqrt()
            total += (y * norm.weight.double()).abs().mean(0).square()
        expected += total.sqrt().detach()
    method = methods.make(Step.parse("hidden"))
    (found,) = method.scores(tiny.model("mistral"), Context(TEXT)).values()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("tied", [True, False])
def test_what_stays_is_cut_out_of_every_tensor(tied):
    model = tiny.model("qwen3", tie_word_embeddings=tied)
    before = copy.deepcopy(model.state_dict())
    method = methods.make(Step.parse("hidden"))
    method.fits(model, [0.25])
    method.prepare(model, [0.25], Context(TEXT))
    (order,) = method.order_.values()
    stay = order[8:].sort().values
    model, report = method.apply(model, 0.25)
    assert (report.gone, report.targeted, model.config.hidden_size) == (8, 32, 24)
    after = model.state_dict()
    assert torch.equal(after["model.embed_tokens.weight"],
                       before["model.embed_tokens.weight"][:, stay])  # fmt: skip
    place = "model.layers.1.self_attn"
    assert torch.equal(after[f"{place}.q_proj.weight"], before[f"{place}.q_proj.weight"][:, stay])
    assert torch.equal(after[f"{place}.o_proj.weight"], before[f"{place}.o_proj.weight"][stay])
    assert torch.equal(after[f"{place}.q_norm.weight"], before[f"{place}.q_norm.weight"])
    assert torch.equal(after["model.norm.weight"], before["model.norm.weight"][stay])
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied
    assert after["lm_head.weight"].shape == (259, 24)


def test_llama_takes_only_widths_that_its_heads_divide():
    """Its config refuses others: the next one up is taken, and asked and measured are both said."""
    model = tiny.model("llama")
    method = methods.make(Step.parse("hidden,criterion=random"))
    method.prepare(model, [0.2], Context())
    model, report = method.apply(model, 0.2)
    heads = model.config.num_attention_heads
    assert model.config.hidden_size == -(-26 // heads) * heads
    assert report.measured == (32 - model.config.hidden_size) / 32


def test_a_width_that_the_embeddings_are_scaled_by_is_refused():
    with pytest.raises(RequestError, match="from its hidden size"):
        methods.make(Step.parse("hidden")).fits(tiny.model("gemma2"), [0.25])
    assert hidden.size(tiny.model("gemma2")) == 32
