"""Each criterion against its formula written out anew in float64, on a tiny model."""

from __future__ import annotations

import copy

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RunError
from resect.spec import Step

if WHEN_RUN:
    import torch
    from layer_inputs import inputs_of

    from resect import anatomy
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.calibration.capture import Moments, blocks_in_turn, gram, squares
    from resect.methods.masks import Pattern, all_but_n_of_m, lowest, lowest_in_rows
    from resect.methods.step import Context
    from resect.methods.weights.sparsegpt import sparsegpt

    TEXT = Tokens(torch.randint(3, 259, (5, 30), generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("family", ["mistral", "gemma3_text", "qwen3"])
def test_moments_block_by_block_equal_those_of_the_whole_model(family):
    """Windows, rotary positions and norms come to every block as in a plain forward."""
    model = tiny.model(family, num_hidden_layers=3)
    plain = inputs_of(model, TEXT)
    for turn in blocks_in_turn(model, TEXT, lambda _: True, gram, False):
        for site, moments in turn.gather().items():
            expected = plain[site].T @ plain[site]
            assert moments.tokens == len(plain[site])
            torch.testing.assert_close(moments.total.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["mixtral", "qwen3_moe", "gpt_oss"])
def test_moments_inside_experts_equal_a_loop_over_tokens(family):
    """Routed tokens only; the inner activation is what the expert's down projection multiplies."""
    model = tiny.model(family)
    experts = anatomy.read(model).blocks[0].module.mlp.experts
    seen: list[tuple[torch.Tensor, ...]] = []
    hook = experts.register_forward_pre_hook(lambda _, x: seen.append(x))
    turn = next(blocks_in_turn(model, TEXT, lambda _: True, squares, False))
    moments = turn.gather()
    hook.remove()
    calls = seen[: len(TEXT.ids)]
    for expert in range(4):
        total, inner_total, count = 0.0, 0.0, 0
        for hidden, routed, _ in (call[:3] for call in calls):
            for token, chosen in zip(hidden.reshape(-1, hidden.shape[-1]), routed, strict=True):
                if expert in chosen.tolist():
                    count += 1
                    total = total + token.double() ** 2
                    inner_total = inner_total + inside(family, experts, expert, token) ** 2
        name = f"model.layers.0.mlp.experts.{expert}"
        if count:
            assert moments[f"{name}.input"].tokens == count
            got = moments[f"{name}.input"].total.double()
            torch.testing.assert_close(got, total, rtol=1e-4, atol=1e-6)
            inner = moments[f"{name}.inner"].total.double()
            torch.testing.assert_close(inner, inner_total, rtol=1e-4, atol=1e-6)


def inside(family, experts, expert, token):
    """The families' own formulas: SwiGLU; gpt-oss interleaved, biased, clamped."""
    x = token.double()
    weight = experts.gate_up_proj[expert].double()
    if family != "gpt_oss":
        gate, up = (weight @ x).chunk(2)
        return torch.nn.functional.silu(gate) * up
    both = x @ weight + experts.gate_up_proj_bias[expert].double()
    gate, up = both[::2].clamp(max=7.0), both[1::2].clamp(-7.0, 7.0)
    return (up + 1) * gate * torch.sigmoid(gate * 1.702)


@pytest.mark.parametrize("text", ["wanda:0.5", "wanda,pattern=2:4", "ria:0.6", "ria:0.6,scope=row"])
def test_wanda_and_ria_masks(text):
    step = Step.parse(f"{text},inputs=dense")
    model = tiny.model("mistral")
    seen = inputs_of(model, TEXT)
    expected = {}
    for matrix in anatomy.read(model).matrices:
        w, norm = matrix.weight().double().abs(), seen[matrix.site].square().sum(0).sqrt()
        score = w * norm
        if step.method == "ria":
            score = (w / w.sum(0) + w / w.sum(1)[:, None]) * norm**0.5
        expected[matrix.name] = reference_mask(step, score)
    method = methods.make(step)
    method.prepare(model, [step.level or 0.5], Context(TEXT))
    method.apply(model, step.level)
    for matrix in anatomy.read(model).matrices:
        assert torch.equal(matrix.weight() == 0, expected[matrix.name]), matrix.name


def reference_mask(step, score):
    """Sorts in float64; no ties here, so an exact match is owed."""
    mask = torch.zeros_like(score, dtype=torch.bool)
    if step.options.get("pattern"):
        for row in range(score.shape[0]):
            for start in range(0, score.shape[1], 4):
                order = score[row, start : start + 4].argsort()
                mask[row, start + order[:2]] = True
    elif step.method == "wanda" or step.options.get("scope") == "row":
        count = int(score.shape[1] * step.level)
        mask.scatter_(1, score.argsort(1)[:, :count], True)
    else:
        mask.view(-1)[score.view(-1).argsort()[: int(score.numel() * step.level)]] = True
    return mask


def test_pruned_inputs_see_the_pruned_blocks_before():
    """The second block's scores come from the first block as pruned, as in the papers."""
    step = Step.parse("wanda:0.5,inputs=pruned")
    model = tiny.model("mistral")
    half = copy.deepcopy(model)
    first = methods.make(Step.parse("wanda:0.5,inputs=pruned,exclude=*.1.*"))
    first.prepare(half, [0.5], Context(TEXT))
    first.apply(half, 0.5)
    expected = {}
    for matrix in anatomy.read(half).blocks[1].matrices:
        if "q_proj" in matrix.name:  # first in its block: its input shows the first block alone
            score = (
                matrix.weight().double().abs()
                * inputs_of(half, TEXT)[matrix.site].square().sum(0).sqrt()
            )
            expected[matrix.name] = reference_mask(step, score)
    method = methods.make(step)
    method.prepare(model, [0.5], Context(TEXT))
    method.apply(model, 0.5)
    found = {m.name: m.weight() == 0 for m in anatomy.read(model).matrices}
    for name, mask in expected.items():
        assert torch.equal(found[name], mask)


@pytest.mark.parametrize("pattern", [None, (2, 4)])
@pytest.mark.parametrize("block", [8, 128])
def test_sparsegpt_equals_the_published_algorithm(pattern, block):
    pattern = pattern and Pattern(*pattern)
    torch.manual_seed(0)
    x, w = torch.randn(200, 24).double(), torch.randn(10, 24).double()
    x[:, 5] = 0  # a dead input
    second = x.T @ x
    found = sparsegpt(w.float(), second.float(), 0.5, pattern, block=block)
    expected = published(w, second, 0.5, pattern, block)
    assert torch.equal(found == 0, expected == 0)
    torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(
    ("pattern", "block", "whole"),
    [((3, 6), 8, 6), ((2, 4), 10, 8), ((1, 12), 8, 12)],
)
def test_sparsegpt_splits_no_neighbours_between_blocks(pattern, block, whole):
    pattern = Pattern(*pattern)
    torch.manual_seed(0)
    x, w = torch.randn(200, 24).double(), torch.randn(10, 24).double()
    found = sparsegpt(w.float(), (x.T @ x).float(), 0.5, pattern, block=block)
    expected = published(w, x.T @ x, 0.5, pattern, whole)
    assert torch.equal(found == 0, expected == 0)
    torch.testing.assert_close(found.double(), expected, rtol=2e-3, atol=2e-4)


def test_sparsegpt_without_damping_finds_its_own():
    """A singular Hessian and `damp=0`: damped a little, and said."""
    method = methods.make(Step.parse("sparsegpt:0.5,damp=0"))
    model = tiny.model("llama")
    matrix = anatomy.read(model).matrices[0]
    size = matrix.weight().shape[1]
    note = method.prune(matrix, Moments(1, torch.ones(size, size)), 0.5)
    assert "damped by" in note


def test_sparsegpt_of_a_model():
    """Hessians from plain hooks in float64; every matrix's mask, and the weights as updated."""
    model = tiny.model("mistral")
    seen = inputs_of(model, TEXT)
    expected = {
        m.name: published(m.weight().double(), seen[m.site].T @ seen[m.site], 0.5, None, 128)
        for m in anatomy.read(model).matrices
    }
    method = methods.make(Step.parse("sparsegpt:0.5,inputs=dense"))
    method.prepare(model, [0.5], Context(TEXT))
    method.apply(model, 0.5)
    for matrix in anatomy.read(model).matrices:
        wanted = expected[matrix.name]
        assert torch.equal(matrix.weight() == 0, wanted == 0), matrix.name
        torch.testing.assert_close(matrix.weight().double(), wanted, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(("level", "pattern"), [(0.0, None), (0.1, None), (0.5, (2, 4))])
def test_sparsegpt_zeroes_no_more_than_is_due(level, pattern):
    """Most inputs are always zero: their weights go first, those that are not due stay."""
    pattern = pattern and Pattern(*pattern)
    torch.manual_seed(0)
    x, w = torch.randn(200, 24), torch.randn(10, 24)
    x[:, 5:] = 0
    found = sparsegpt(w, x.T @ x, level, pattern, block=8)
    gone = found == 0
    assert int(gone.sum()) == int(w.numel() * level)
    assert torch.equal(found[:, 5:][~gone[:, 5:]], w[:, 5:][~gone[:, 5:]])
    if level == 0:
        assert torch.equal(found, w)


def published(w, second, sparsity, pattern, blocksize, percdamp=0.01):
    """Algorithm 1 of arXiv:2301.00774, column by column in float64 with explicit inverses."""
    w, h = w.clone(), second.clone()
    dead = h.diag() == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    h += percdamp * h.diag().mean() * torch.eye(len(h), dtype=h.dtype)
    hinv = torch.linalg.cholesky(torch.linalg.inv(h)).T  # upper factor
    for start in range(0, w.shape[1], blocksize):
        end = min(start + blocksize, w.shape[1])
        mask = torch.zeros(w.shape, dtype=torch.bool)
        if pattern is None:
            score = (w[:, start:end] / hinv.diag()[start:end]) ** 2
            count = int(score.numel() * sparsity)
            chosen = torch.zeros(score.numel(), dtype=torch.bool)
            chosen[score.flatten().argsort()[:count]] = True
            mask[:, start:end] = chosen.view_as(score)
        for j in range(start, end):
            if pattern is not None and j % pattern.of == 0:
                score = (w[:, j : j + pattern.of] / hinv.diag()[j : j + pattern.of]) ** 2
                drop = score.argsort(1)[:, : pattern.of - pattern.keep]
                mask[:, j : j + pattern.of] = mask[:, j : j + pattern.of].scatter(1, drop, True)
            new = w[:, j].masked_fill(mask[:, j], 0)
            error = (w[:, j] - new) / hinv[j, j]
            w[:, j:] -= torch.outer(error, hinv[j, j:])
            w[:, j] = new
    return w


def test_the_update_makes_up_for_what_was_zeroed():
    torch.manual_seed(1)
    x, w = torch.randn(500, 32) @ (torch.eye(32) + 0.2 * torch.randn(32, 32)), torch.randn(16, 32)
    updated = sparsegpt(w, x.T @ x, 0.5)
    zeroed = w.masked_fill(updated == 0, 0)
    assert (x @ (updated - w).T).square().sum() < 0.8 * (x @ (zeroed - w).T).square().sum()


def test_masks_by_hand():
    score = torch.tensor([[3.0, 1.0, 1.0, 2.0], [0.0, 0.0, 0.0, 5.0]])
    assert lowest_in_rows(score, 1).int().tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert lowest_in_rows(score, 2).int().tolist() == [[0, 1, 1, 0], [1, 1, 0, 0]]
    assert lowest(score, 4).int().tolist() == [[0, 1, 0, 0], [1, 1, 1, 0]]
    assert all_but_n_of_m(score, 1, 4).int().tolist() == [[0, 1, 1, 1], [1, 1, 1, 0]]
    assert all_but_n_of_m(score, 1, 2).int().tolist() == [[0, 1, 1, 0], [1, 0, 1, 0]]


def test_a_hessian_that_cannot_be_factored_is_said():
    """Damped tenfold more and noted where that helps; a failed run where it does not."""
    model = tiny.model("mistral")
    matrix = anatomy.read(model).matrices[0]
    method = methods.make(Step.parse("sparsegpt:0.5"))
    method.dose(0.5)
    width = matrix.weight().shape[1]
    second = torch.eye(width)
    second[0, 1] = second[1, 0] = 1.05  # just not positive definite
    note = method.prune(matrix, Moments(1, second), 0.5)
    assert "not positive definite: damped by 0.1" in note
    with pytest.raises(RunError, match="cannot be factored"):
        method.prune(matrix, Moments(1, -torch.eye(width)), 0.5)


@pytest.mark.parametrize("text", ["wanda:0.5", "ria:0.5", "sparsegpt:0.5"])
def test_activations_that_overflow_fail_the_run(text):
    """A NaN would rank above every weight, and the mask would be nobody's."""
    model = tiny.model("mistral", dtype=torch.bfloat16)
    model.model.layers[0].mlp.up_proj.weight.data.fill_(3e38)
    method = methods.make(Step.parse(f"{text},inputs=dense"))
    method.prepare(model, [0.5], Context(TEXT))
    with pytest.raises(RunError, match=r"inputs of model.layers.0.mlp.down_proj are not finite"):
        method.apply(model, 0.5)
