"""What structured methods rank by equals formulas written out over a plain forward, in float64."""

from __future__ import annotations

import pytest
import tiny
from lazy import WHEN_RUN
from test_parity import inside

from resect import methods
from resect.spec import Step

if WHEN_RUN:
    import torch

    from resect import anatomy
    from resect.anatomy import mlp
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.step import Context

    TOKENS = tiny.tokenizer()

DENSE = ("llama", "gemma2", "phi3", "qwen3")


def texts_of(context: Context, model, step: str) -> list[torch.Tensor]:
    """The windows that a step reads: of the calibration text, or of its target and distractor."""
    method = methods.make(Step.parse(step))
    named = getattr(method, "texts", [])
    return [context.tokens(one, model).ids for one in named] or [context.text.ids]


@pytest.fixture(scope="module")
def context() -> Context:
    ids = torch.randint(3, 259, (4, 20), generator=torch.Generator().manual_seed(5))
    return Context(Tokens(ids), TOKENS)


@tiny.no_grad
def run(model, ids, module_of) -> list[list[torch.Tensor]]:
    """Inputs (tokens, I) of one module a block over all rows, from a plain forward in float64."""
    seen: list[list[torch.Tensor]] = [[] for _ in model.model.layers]
    hooks = [
        module_of(layer).register_forward_pre_hook(
            lambda _, x, here=seen[number]: here.append(x[0].reshape(-1, x[0].shape[-1]))
        )
        for number, layer in enumerate(model.model.layers)
    ]
    for row in ids:
        model(row[None])
    for hook in hooks:
        hook.remove()
    return seen


NAMED = "target=task:clinic-medicine,distractor=task:clinic-logic,nsamples=3,seqlen=32"


@pytest.mark.parametrize("family", DENSE)
@pytest.mark.parametrize("criterion", ["selectivity", "contribution", "activation"])
@pytest.mark.parametrize("order", ["selective", "reverse"])
def test_neurons_by_activation(family, criterion, order, context):
    model = tiny.model(family)
    step = f"neurons,criterion={criterion},order={order}"
    step += "" if criterion == "activation" else f",{NAMED}"
    method = methods.make(Step.parse(step))
    method.prepare(model, [0.5], context)
    precise = tiny.model(family).double()
    means = [
        [torch.cat(x).abs().mean(0) for x in run(precise, ids, lambda b: b.mlp.down_proj)]
        for ids in texts_of(context, model, step)
    ]
    for number, layer in enumerate(precise.model.layers):
        a = means[0][number]
        if criterion == "selectivity":
            a = (a - means[1][number]) / (a + means[1][number] + 1e-8)
        if criterion == "contribution":
            columns = layer.mlp.down_proj.weight.double().square().sum(0).sqrt()
            a = (a - means[1][number]) * columns
        expected = a.argsort(descending=order == "reverse")
        assert torch.equal(method.order_[f"model.layers.{number}.mlp"], expected)


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_neurons_of_an_expert_by_its_own_tokens(family, context):
    model = tiny.model(family)
    method = methods.make(Step.parse("neurons,criterion=activation"))
    found = method.scores(model, context)
    experts = model.model.layers[0].mlp.experts
    seen: list[tuple[torch.Tensor, ...]] = []
    hook = experts.register_forward_pre_hook(lambda _, x: seen.append(x))
    for row in context.text.ids:
        model(row[None])
    hook.remove()
    for expert in range(4):
        sizes = [
            inside(family, experts, expert, token).abs()
            for hidden, routed, *_ in seen
            for token, chosen in zip(hidden.reshape(-1, 32), routed, strict=True)
            if expert in chosen.tolist()
        ]
        expected = torch.stack(sizes).mean(0)
        got = found[f"model.layers.0.mlp.experts.{expert}"].double()
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_neurons_by_magnitude():
    layer = tiny.model("phi3").model.layers[0].mlp
    model = tiny.model("phi3")
    method = methods.make(Step.parse("neurons,criterion=magnitude"))
    score = method.scores(model, Context())["model.layers.0.mlp"]
    gate, up = layer.gate_up_proj.weight.double().split(48)
    down = layer.down_proj.weight.double()
    whole = [torch.cat([gate[j], up[j], down[:, j]]).norm() for j in range(48)]
    torch.testing.assert_close(score.double().sqrt(), torch.stack(whole))


def test_an_expert_that_no_token_reaches_is_ranked_by_magnitude_and_said():
    """The same token everywhere reaches two experts of four in each of the two layers."""
    model = tiny.model("mixtral")
    text = Context(Tokens(torch.full((1, 4), 9)))
    method = methods.make(Step.parse("neurons,criterion=activation"))
    method.prepare(model, [0.5], text)
    _, report = method.apply(model, 0.5)
    assert len(report.notes) == 4
    assert all("no token reached model.layers." in note for note in report.notes)


@pytest.mark.parametrize("family", DENSE)
@pytest.mark.parametrize("by", ["group", "query"])
def test_heads(family, by, context):
    model, precise = tiny.model(family), tiny.model(family).double()
    norms = methods.make(Step.parse(f"heads,criterion=norm,by={by}")).scores(model, context)
    active = methods.make(Step.parse(f"heads,by={by},criterion=activation")).scores(model, context)
    inputs = run(precise, context.text.ids, lambda b: b.self_attn.o_proj)
    for number, layer in enumerate(precise.model.layers):
        x = torch.cat(inputs[number])
        power = torch.stack([x[:, h * 8 : h * 8 + 8].square().sum(1).mean() for h in range(4)])
        if family == "phi3":
            q, k, v = layer.self_attn.qkv_proj.weight.split([32, 16, 16])
        else:
            q, k, v = (getattr(layer.self_attn, f"{n}_proj").weight for n in "qkv")
        o = layer.self_attn.o_proj.weight
        square = [
            q[h * 8 : h * 8 + 8].square().sum() + o[:, h * 8 : h * 8 + 8].square().sum()
            for h in range(4)
        ]
        for group in range(2):
            both = slice(2 * group, 2 * group + 2)
            rows = slice(8 * group, 8 * group + 8)
            shared = k[rows].square().sum() + v[rows].square().sum()
            name = f"model.layers.{number}.self_attn"
            if by == "group":
                got = norms[name][group], active[name][group]
                expected = sum(square[both]) + shared, power[both].sum()
            else:
                got = norms[f"{name}.{group}"], active[f"{name}.{group}"]
                expected = torch.stack(square[both]), power[both]
            for one, two in zip(got, expected, strict=True):
                torch.testing.assert_close(one.double(), two, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("family", ["mistral", "gemma3_text"])
@tiny.no_grad
def test_block_influence(family, context):
    """1 - mean cosine between what comes to a block and what leaves it."""
    model = tiny.model(family, num_hidden_layers=3)
    step = Step.parse("blocks")
    score = methods.make(step).scores(model, context)["decoder blocks"]
    precise = tiny.model(family, num_hidden_layers=3).double()
    pairs: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[], [], []]
    for number, layer in enumerate(precise.model.layers):
        layer.register_forward_hook(
            lambda _, x, y, here=pairs[number]: here.append((x[0], y[0] if type(y) is tuple else y))
        )
    for row in context.text.ids:
        precise(row[None])
    for number, found in enumerate(pairs):
        x, y = (torch.cat([pair[i].reshape(-1, 32) for pair in found]) for i in (0, 1))
        cosine = (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))
        assert float(score[number]) == pytest.approx(float(1 - cosine.mean()), rel=1e-4)


@pytest.mark.parametrize("step", ["neurons,criterion=random", "heads,criterion=random"])
def test_random_follows_its_seed_and_not_the_other_parts(step, context):
    orders = []
    for seed in range(6):
        method = methods.make(Step.parse(step), seed)
        method.prepare(tiny.model("mistral"), [0.5], context)
        orders.append(method.order_)
    names = list(orders[0])
    if "neurons" in step:
        assert all(len({str(o[name].tolist()) for o in orders}) == 6 for name in names)
        first = torch.stack([o[names[0]][:24] for o in orders]).flatten().bincount(minlength=48)
        assert first.min() < first.max() <= 6  # no neuron is always or never in the first half
    assert any(not torch.equal(o[names[0]], o[names[1]]) for o in orders)
    short = methods.make(Step.parse(step), 0)
    short.prepare(tiny.model("mistral", num_hidden_layers=1), [0.5], context)
    assert torch.equal(short.order_[names[0]], orders[0][names[0]])


def test_a_neuron_that_only_the_target_excites_goes_last(tmp_path):
    """And one that only the distractor excites goes first; in reverse it is the other way round."""
    model = tiny.model("mistral", num_hidden_layers=1)
    target, other = TOKENS("a").input_ids[0], TOKENS("b").input_ids[0]
    (one,) = mlp.read(model)
    layer = anatomy.read(model).blocks[0].module
    layer.self_attn.o_proj.weight.data.zero_()
    table = model.get_input_embeddings().weight.data
    norm = layer.post_attention_layernorm
    with torch.no_grad():
        x, y = norm(table[target]), norm(table[other])
        for row, (yes, no) in {5: (x, y), 11: (y, x)}.items():
            one.ups[0].weight()[row] = yes - no * (yes @ no) / (no @ no)  # silu(0) = 0
    for letter in "ab":
        (tmp_path / f"{letter}.txt").write_text(letter * 400)
    names = f"target={tmp_path / 'a.txt'},distractor={tmp_path / 'b.txt'},nsamples=2,seqlen=16"
    for order, ends in (("selective", (11, 5)), ("reverse", (5, 11))):
        method = methods.make(Step.parse(f"neurons,criterion=selectivity,order={order},{names}"))
        method.prepare(model, [0.5], Context(tokenizer=TOKENS))
        ranked = method.order_["model.layers.0.mlp"].tolist()
        assert (ranked[0], ranked[-1]) == ends
