"""Scores by what a projection reads, and projections fitted anew, against float64 formulas."""

from __future__ import annotations

import itertools

import pytest
import tiny
from lazy import WHEN_RUN
from test_structured_scores import run

from resect.errors import RequestError
from resect.spec import Step

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect import methods
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.parts.channels import removal_order
    from resect.methods.parts.update import least_squares
    from resect.methods.step import Context

FAMILIES = ("llama", "gemma2", "phi3", "qwen3")
WIDTH, HEADS, SIZE = 48, 4, 8


@pytest.fixture(scope="module")
def context() -> Context:
    ids = torch.randint(3, 259, (12, 20), generator=torch.Generator().manual_seed(5))
    return Context(Tokens(ids))


@pytest.fixture
def no_grad():
    with torch.no_grad():
        yield


def scores(step: str, model, context) -> dict[str, torch.Tensor]:
    found = methods.make(Step.parse(step)).scores(model, context)
    return {name: score.double() for name, score in found.items()}


def down(layer):
    return layer.mlp.down_proj


def out(layer):
    return layer.self_attn.o_proj


def read(family: str, context: Context, projection) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(x, W) of a projection in every block: all that it reads (tokens, C), and its weight."""
    model = tiny.model(family).double()
    inputs = run(model, context.text.ids, projection)
    weights = [projection(layer).weight.data for layer in model.model.layers]
    return [(torch.cat(x), weight) for x, weight in zip(inputs, weights, strict=True)]


def by_channel(criterion: str, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The formula written out: Wanda-sp (|x| times the column's norm), FLAP (eq. 5, squared)."""
    norm = weight.square().sum(0).sqrt()
    if criterion == "wanda-sp":
        return x.abs().mean(0) * norm
    return (((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1) * norm**2) ** 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("criterion", ["wanda-sp", "flap"])
def test_neurons_by_what_is_read(family, criterion, context):
    found = scores(f"neurons,criterion={criterion},update=none", tiny.model(family), context)
    for number, (x, weight) in enumerate(read(family, context, down)):
        expected = by_channel(criterion, x, weight)
        torch.testing.assert_close(
            found[f"model.layers.{number}.mlp"], expected, rtol=1e-3, atol=1e-12
        )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("criterion", ["wanda-sp", "flap"])
def test_heads_by_what_is_read(family, criterion, context):
    model, step = tiny.model(family), f"heads,criterion={criterion},update=none"
    groups, queries = (scores(f"{step},by={by}", model, context) for by in ("group", "query"))
    for number, (x, weight) in enumerate(read(family, context, out)):
        name = f"model.layers.{number}.self_attn"
        channels = by_channel(criterion, x, weight)
        heads = torch.stack([channels[h * SIZE : h * SIZE + SIZE].sum() for h in range(HEADS)])
        close = {"rtol": 1e-3, "atol": 1e-12}
        torch.testing.assert_close(groups[name], heads.view(2, 2).sum(1), **close)
        for group in range(2):
            expected = heads[2 * group : 2 * group + 2]
            torch.testing.assert_close(queries[f"{name}.{group}"], expected, **close)


def gradients(family: str, context: Context):
    """A precise model after the backward pass of the first ten windows, one after the other."""
    model = tiny.model(family)
    if family in tiny.DENSE:  # the kernel of fused experts takes no float64
        model = model.double()
    for row in context.text.ids[:10]:
        model(row[None], labels=row[None]).loss.backward()
    return model


def importance(weight: torch.nn.Parameter) -> torch.Tensor:
    return (weight * weight.grad).abs().detach()


@pytest.mark.parametrize("family", FAMILIES)
def test_taylor(family, context):
    """Sums over all weights of a part of |w dL/dw| (LLM-Pruner, eq. 5, by element)."""
    model, precise = tiny.model(family), gradients(family, context)
    neurons = scores("neurons,criterion=taylor", model, context)
    groups = scores("heads,criterion=taylor", model, context)
    queries = scores("heads,criterion=taylor,by=query", model, context)
    for number, layer in enumerate(precise.model.layers):
        if family == "phi3":
            ups = importance(layer.mlp.gate_up_proj.weight).split(WIDTH)
            q, k, v = importance(layer.self_attn.qkv_proj.weight).split([32, 16, 16])
        else:
            ups = [importance(layer.mlp.gate_proj.weight), importance(layer.mlp.up_proj.weight)]
            q, k, v = (
                importance(getattr(layer.self_attn, f"{role}_proj").weight) for role in "qkv"
            )
        whole = sum(up.sum(1) for up in ups) + importance(layer.mlp.down_proj.weight).sum(0)
        torch.testing.assert_close(neurons[f"model.layers.{number}.mlp"], whole, rtol=1e-3, atol=0)
        o = importance(layer.self_attn.o_proj.weight)
        name = f"model.layers.{number}.self_attn"
        for head in range(HEADS):
            rows = slice(head * SIZE, head * SIZE + SIZE)
            own = q[rows].sum() + o[:, rows].sum()
            torch.testing.assert_close(
                queries[f"{name}.{head // 2}"][head % 2], own, rtol=1e-3, atol=0
            )
        for group in range(2):
            rows, heads = (
                slice(group * SIZE, group * SIZE + SIZE),
                slice(group * 16, group * 16 + 16),
            )
            own = q[heads].sum() + o[:, heads].sum() + k[rows].sum() + v[rows].sum()
            torch.testing.assert_close(groups[name][group], own, rtol=1e-3, atol=0)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_taylor_of_experts(family, context):
    """Fused tensors: every expert's neurons by the gradient of its own slice."""
    model = tiny.model(family)
    found = scores("neurons,criterion=taylor", model, context)
    precise = gradients(family, context)
    for number, layer in enumerate(precise.model.layers):
        experts = layer.mlp.experts
        both, last = importance(experts.gate_up_proj), importance(experts.down_proj)
        for expert in range(4):
            if family == "gpt_oss":  # (I, O), gate and up interleaved
                sums = both[expert].sum(0)
                own = sums[::2] + sums[1::2] + last[expert].sum(1)
            else:
                own = both[expert].sum(1).view(2, -1).sum(0) + last[expert].sum(0)
            name = f"model.layers.{number}.mlp.experts.{expert}"
            torch.testing.assert_close(found[name], own.double(), rtol=1e-3, atol=1e-9)


def loss(weight: torch.Tensor, second: torch.Tensor, stay: list[int]) -> float:
    """The least squared error of the output by some channels: a plain fit, no update formula."""
    root = torch.linalg.cholesky(second).mT  # ||x W^T|| over tokens = ||root W^T||
    target = root @ weight.mT
    solution = torch.linalg.lstsq(root[:, stay], target).solution
    return float((root[:, stay] @ solution - target).square().sum())


@pytest.mark.parametrize(("parts", "width"), [(7, 1), (4, 3)])
def test_the_order_of_removal_is_greedy(parts, width):
    """At every step the part goes without which the best fit of the output is least wrong."""
    generator = torch.Generator().manual_seed(parts)
    x = torch.randn(60, parts * width, generator=generator, dtype=torch.float64)
    x = x @ torch.randn(parts * width, parts * width, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, parts * width, generator=generator, dtype=torch.float64)
    second = x.mT @ x
    damped = second + 0.01 * second.diagonal().mean() * torch.eye(len(second))
    left, expected = list(range(parts)), []
    while len(left) > 1:
        losses = {
            part: loss(
                weight, damped, [p * width + c for p in left if p != part for c in range(width)]
            )
            for part in left
        }
        expected.append(min(losses, key=losses.__getitem__))
        left.remove(expected[-1])
    order = removal_order(weight, second, parts, 0.01)
    assert order.argsort().tolist() == expected + left


def test_many_parts_go_in_rounds_and_every_part_once():
    x = torch.randn(400, 200, generator=torch.Generator().manual_seed(1))
    order = removal_order(torch.randn(8, 200), x.mT @ x, 200, 0.01)
    assert sorted(order.tolist()) == list(range(200))


def test_obs_keeps_a_neuron_that_no_other_can_stand_in_for():
    """Of two equal loud channels one goes first, a quiet one of its own kind stays."""
    generator = torch.Generator().manual_seed(2)
    loud, quiet = torch.randn(2, 500, generator=generator)
    second = torch.stack([3 * loud, 3 * loud, 0.5 * quiet]).float()
    weight = torch.tensor([[1.0, 1.0, 1.0]])
    order = removal_order(weight, second @ second.mT, 3, 1e-6).tolist()
    assert sorted(order[:2]) == [0, 2]
    assert order[2] == 1


@pytest.mark.parametrize("damp", [0.01, 1e-9])
def test_least_squares_is_the_fit_that_minimises_the_damped_error(damp):
    """Against a plain solver over tokens, the damping written as further rows."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(50, 9, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 9, generator=generator, dtype=torch.float64)
    stay = torch.tensor([0, 2, 3, 7])
    second = x.mT @ x
    ridge = (damp * second.diagonal().mean()).sqrt()
    rows = torch.cat([x[:, stay], ridge * torch.eye(4).double()])
    target = torch.cat([x @ weight.mT, ridge * weight[:, stay].mT])
    expected = torch.linalg.lstsq(rows, target).solution.mT
    torch.testing.assert_close(least_squares(weight, second, stay, damp), expected)


def cut(step: str, family: str, context: Context, level: float = 0.5):
    model = tiny.model(family)
    method = methods.make(Step.parse(step))
    method.fits(model, [level])
    method.prepare(model, [level], context)
    return method, *method.apply(model, level)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("step", "projection", "group", "size"),
    [("neurons,criterion=random,update=lstsq", down, "mlp", 1),
     ("heads,criterion=norm,update=lstsq", out, "self_attn", 2 * SIZE)],
)  # fmt: skip
def test_the_fitted_projection(family, step, projection, group, size, context):
    """Of the parts that stay, from the intact model's inputs, by a plain solver."""
    method, model, report = cut(step, family, context)
    assert report.physical
    for number, (x, weight) in enumerate(read(family, context, projection)):
        name = f"model.layers.{number}.{group}"
        parts = method.stay(method.groups(tiny.model(family))[number], x.shape[1] // size // 2)
        stay = (parts.sort().values[:, None] * size + torch.arange(size)).flatten()
        ridge = (0.01 * x.square().sum(0).mean()).sqrt() * torch.eye(len(stay)).double()
        rows = torch.cat([x[:, stay], ridge])
        target = torch.cat([x @ weight.mT, ridge @ weight[:, stay].mT])
        expected = torch.linalg.lstsq(rows, target).solution.mT
        fitted = projection(model.model.layers[number]).weight
        assert fitted.shape == expected.shape, name
        torch.testing.assert_close(fitted.double(), expected, rtol=1e-3, atol=1e-5)


def test_silent_heads_are_fitted_in_place():
    """OLMoE's config takes no other number of heads: the columns that stay are the fit."""
    text = Context(Tokens(torch.randint(3, 259, (12, 20))))
    plain = cut("heads,criterion=norm", "olmoe", text)[1]
    _, fitted, report = cut("heads,criterion=norm,update=lstsq", "olmoe", text)
    assert not report.physical
    for before, after in zip(plain.model.layers, fitted.model.layers, strict=True):
        silent = out(before).weight.abs().sum(0) == 0
        assert 0 < silent.sum() < len(silent)
        assert torch.equal(silent, out(after).weight.abs().sum(0) == 0)
        assert not torch.equal(out(before).weight, out(after).weight)


@pytest.mark.parametrize(
    ("step", "projection", "size"), [("neurons", down, 1), ("heads", out, 2 * SIZE)]
)
def test_flap_adds_what_goes_to_a_bias(step, projection, size, context, tmp_path):
    """And plain transformers loads it: Llama's config has a field for such biases."""
    method, model, _ = cut(f"{step},criterion=flap", "llama", context)
    for number, (x, weight) in enumerate(read("llama", context, projection)):
        group = method.groups(tiny.model("llama"))[number]
        gone = method.order_[group.name][: group.size // 2]
        gone = (gone[:, None] * size + torch.arange(size)).flatten()
        expected = weight[:, gone] @ x.mean(0)[gone]
        found = projection(model.model.layers[number])
        torch.testing.assert_close(found.bias.double(), expected, rtol=1e-3, atol=1e-6)
    others = [
        module.bias
        for layer in model.model.layers
        for module in layer.modules()
        if isinstance(module, torch.nn.Linear) and module is not projection(layer)
    ]
    assert all(bias is None or not bias.any() for bias in others)
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = context.text.ids[:1]
    assert torch.equal(model(ids).logits, loaded(ids).logits)


def test_walking_with_biases_equals_going_straight(context):
    method = methods.make(Step.parse("neurons,criterion=flap"))
    models = [tiny.model("llama") for _ in range(2)]
    for model, levels in zip(models, ([0.25, 0.5], [0.5]), strict=True):
        method.prepare(model, levels, context)
        for level in levels:
            method.apply(model, level)
    walked, straight = (model.state_dict() for model in models)
    assert walked.keys() == straight.keys()
    assert all(torch.equal(walked[name], straight[name]) for name in walked)


def test_a_config_without_such_a_bias_is_refused(context):
    with pytest.raises(RequestError, match=r"no field of this model's config.*update=lstsq"):
        methods.make(Step.parse("neurons,criterion=flap")).fits(tiny.model("mistral"), [0.5])


def test_zeros_of_a_step_before_stay(context):
    """A fit would fill them: the projection is cut as it is, and the cell says so."""
    model = tiny.model("mistral")
    for layer in model.model.layers:
        down(layer).weight.data[:, ::2] *= torch.tensor([1.0, 0.0] * 12)
    before = [down(layer).weight.clone() for layer in model.model.layers]
    method = methods.make(Step.parse("neurons"))
    method.prepare(model, [0.25], context)
    _, report = method.apply(model, 0.25)
    assert len(report.notes) == 2
    assert "zeros from a step before" in report.notes[0]
    for layer, weight in zip(model.model.layers, before, strict=True):
        columns = {tuple(column) for column in weight.mT.tolist()}
        assert all(tuple(column) in columns for column in down(layer).weight.mT.tolist())


@pytest.mark.parametrize("step", ["neurons,criterion=random", "heads,criterion=random,by=query"])
@pytest.mark.usefixtures("no_grad")
def test_a_fit_gives_the_outputs_back_better(step, context):
    """The same parts cut, with and without: the fitted one is nearer to the intact model."""
    ids = context.text.ids[:4]
    whole = tiny.model("mistral")(ids).logits
    errors = {
        fit: float((cut(f"{step},update={fit}", "mistral", context)[1](ids).logits - whole)
                   .square().mean())
        for fit in ("none", "lstsq")
    }  # fmt: skip
    assert errors["lstsq"] < errors["none"]


@pytest.mark.usefixtures("no_grad")
def test_blocks_by_loss_go_greedily(context):
    """Every order of two blocks is tried over copies that have them cut out."""
    model = tiny.model("mistral", num_hidden_layers=4)
    method = methods.make(Step.parse("blocks,criterion=loss"))
    method.prepare(model, [0.25, 0.5], context)
    order = method.order_["decoder blocks"].tolist()

    def loss_of(gone: tuple[int, ...]) -> float:
        small = tiny.model("mistral", num_hidden_layers=4).double()
        small.model.layers = torch.nn.ModuleList(
            layer for number, layer in enumerate(small.model.layers) if number not in gone
        )
        for number, layer in enumerate(small.model.layers):
            layer.self_attn.layer_idx = number
        rows = context.text.ids[:10]
        return sum(float(small(r[None], labels=r[None], use_cache=False).loss) for r in rows)

    first = min(range(4), key=lambda k: loss_of((k,)))
    second = min((k for k in range(4) if k != first), key=lambda k: loss_of((first, k)))
    assert order[:2] == [first, second]
    assert sorted(order) == [0, 1, 2, 3]
    pairs = list(itertools.combinations(range(4), 2))
    assert loss_of((first, second)) <= sorted(map(loss_of, pairs))[len(pairs) // 2]
