"""Experts: criteria against their formulas in float64, exact counts, every family loads again."""

from __future__ import annotations

import copy
import itertools

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RequestError
from resect.spec import Calibration, ModelRef, Recipe, Step

if WHEN_RUN:
    import torch
    from expert_modules import Apart, Expert, Together
    from torch import nn
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    from resect import anatomy
    from resect.anatomy import mixtures
    from resect.methods.calibration import calibration_text
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.parts import experts
    from resect.methods.parts.experts import CRITERIA
    from resect.methods.step import Context
    from resect.models import loading
    from resect.running.compression import compress_to
    from resect.running.measure import sizes as measure
    from resect.running.measure import workload

    TEXT = Tokens(torch.randint(3, 259, (4, 24), generator=torch.Generator().manual_seed(3)))


RATIOS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)


def made(criterion, model, levels=(0.5,), seed=0):
    method = methods.make(Step.parse(f"experts,criterion={criterion}"), seed)
    method.fits(model, levels)
    method.prepare(model, levels, Context(TEXT))
    return method


def logits(model, ids=None):
    with torch.no_grad():
        return model(TEXT.ids if ids is None else ids).logits


# ── an independent transcription, token by token in float64 ─────────────────────────────────────


@tiny.no_grad
def routed(family, module, x, without=()):
    """(expert, gate) pairs of one token (D,), each family's own formula."""
    router = module.router if hasattr(module, "router") else module.gate
    z = router.weight.double() @ x
    if getattr(router, "bias", None) is not None:
        z = z + router.bias.double()
    for expert in without:
        z[expert] = float("-inf")
    if family == "gpt_oss":
        best = z.argsort(descending=True)[:2]
        return list(zip(best.tolist(), z[best].softmax(0).tolist(), strict=True))
    if family in ("deepseek_v3", "nemotron_h"):
        gates = z.sigmoid()
        choice = gates + router.e_score_correction_bias.double()
        choice[list(without)] = float("-inf")
        groups = choice.view(2 if family == "deepseek_v3" else 1, -1)
        worth = groups.sort(descending=True).values[:, :2].sum(1)
        banned = groups.clone()
        banned[[g for g in range(len(groups)) if g != int(worth.argmax())]] = float("-inf")
        best = banned.flatten().argsort(descending=True)[:2]
        chosen = gates[best] / gates[best].sum() * module.config.routed_scaling_factor
        return list(zip(best.tolist(), chosen.tolist(), strict=True))
    p = z.softmax(0)
    best = p.argsort(descending=True)[:2]
    renormalised = family not in ("qwen2_moe", "olmoe", "qwen3_moe")
    return [(int(e), float(p[e] / p[best].sum() if renormalised else p[e])) for e in best]


@tiny.no_grad
def output(family, experts, expert, x):
    """What one expert makes of one token."""
    weights = {name: value[expert].double() for name, value in experts.named_parameters()}
    if family == "gpt_oss":
        both = x @ weights["gate_up_proj"] + weights["gate_up_proj_bias"]
        gate, up = both[::2].clamp(max=7.0), both[1::2].clamp(-7.0, 7.0)
        inner = (up + 1) * gate * torch.sigmoid(gate * 1.702)
        return inner @ weights["down_proj"] + weights["down_proj_bias"]
    if family == "nemotron_h":
        return weights["down_proj"] @ (weights["up_proj"] @ x).relu().square()
    gate, up = (weights["gate_up_proj"] @ x).chunk(2)
    return weights["down_proj"] @ (nn.functional.silu(gate) * up)


def streams(model, places):
    """What comes to each mixture and the residual stream there, by plain hooks on a forward."""
    seen = {place: ([], []) for place in places}
    norms = {}
    for place in places:
        block = model.get_submodule(place.rpartition(".")[0])
        norm = getattr(block, "post_attention_layernorm", None) or block.norm
        norms[place] = (norm, model.get_submodule(place))
    hooks = []
    for place, (norm, module) in norms.items():
        hooks.append(
            norm.register_forward_pre_hook(
                lambda _, x, place=place: seen[place][0].append(x[0].double().flatten(0, 1))
            )
        )
        hooks.append(
            module.register_forward_pre_hook(
                lambda _, x, place=place: seen[place][1].append(x[0].double().flatten(0, 1))
            )
        )
    logits(model)
    for hook in hooks:
        hook.remove()
    return {place: (torch.cat(h), torch.cat(x)) for place, (h, x) in seen.items()}


def expected(family, model):
    """Scores (E,) of every mixture by criterion."""
    found = {}
    places = [mixture.name for mixture in mixtures.find(model)]
    for place, (stream, inputs) in streams(model, places).items():
        module = model.get_submodule(place)
        size = len(module.experts.down_proj)
        sums = {name: torch.zeros(size, dtype=torch.float64) for name in CRITERIA}
        for h, x in zip(stream, inputs, strict=True):
            pairs = routed(family, module, x)
            outputs = [output(family, module.experts, expert, x) for expert, _ in pairs]
            r = sum(g * f for (_, g), f in zip(pairs, outputs, strict=True))
            moved = 1 - (h @ (h + r)) / (h.norm() * (h + r).norm())
            for (expert, gate), f in zip(pairs, outputs, strict=True):
                sums["frequency"][expert] += 1
                sums["gate"][expert] += gate
                sums["ean"][expert] += f.norm()
                sums["reap"][expert] += gate * f.norm()
                sums["easy-ep"][expert] += gate * f.norm() * moved
        counts = sums["frequency"].clone()
        sums["reap"] = torch.where(counts > 0, sums["reap"] / counts, 0)
        found[place] = sums
    return found


@pytest.fixture(scope="module", params=tiny.ROUTED)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def pristine(family):
    return tiny.model(family, experts=8)


def whole(method, model, scores):
    """Scores by mixture, routing groups put together."""
    return {
        m.name: torch.cat([scores[n] for n in scores if (n + ".").startswith(m.name + ".")])
        for m in mixtures.find(model)
    }


def test_scores_equal_the_formulas(family, pristine):
    reference = expected(family, pristine)
    for criterion in CRITERIA:
        method = methods.make(Step.parse(f"experts,criterion={criterion}"))
        found = whole(method, pristine, method.scores(pristine, Context(TEXT)))
        assert found.keys() == reference.keys()
        for place, score in found.items():
            torch.testing.assert_close(score, reference[place][criterion], rtol=2e-4, atol=1e-6)


def test_the_subset_of_naee_is_the_nearest(family, pristine):
    """All subsets tried by token loops in float64, the experts left out barred from routing."""
    method = made("naee", pristine, (0.25,))
    for mixture in mixtures.find(pristine):
        place, module = mixture.name, mixture.module
        ((_, inputs),) = streams(pristine, [place]).values()
        y = [[output(family, module.experts, e, x) for e in range(8)] for x in inputs]

        def summed(t, without, module=module, inputs=inputs, y=y):
            return sum(g * y[t][e] for e, g in routed(family, module, inputs[t], without))

        full = [summed(t, ()) for t in range(len(inputs))]
        groups = torch.arange(8).view(mixture.groups, -1).tolist()
        losses = {}
        for gone in itertools.product(
            *(itertools.combinations(group, 2 // mixture.groups) for group in groups)
        ):
            without = tuple(itertools.chain(*gone))
            away = torch.stack([full[t] - summed(t, without) for t in range(len(inputs))])
            losses[without] = sum(float(part.norm()) for part in away.split(TEXT.ids.shape[1]))
        best = set(range(8)) - set(min(losses, key=losses.__getitem__))
        found = [
            number * len(group) + expert
            for number, group in enumerate(groups)
            for name, kept in method.best_.items()
            if name in ((place, 6), (f"{place}.group{number}", 3))
            for expert in kept.tolist()
        ]
        assert set(found) == best


def test_how_many_tokens_go_at_once_changes_nothing(family, pristine, monkeypatch):
    """One sequence at a time, two, or all: the same sums."""
    found = []
    for most in (1, 2 * TEXT.ids.shape[1], 1 << 14):
        monkeypatch.setattr(experts, "_TOKENS", most)
        method = methods.make(Step.parse("experts,criterion=easy-ep"))
        found.append(whole(method, pristine, method.scores(pristine, Context(TEXT))))
    for place, score in found[0].items():
        for other in found[1:]:
            torch.testing.assert_close(other[place], score, rtol=1e-5, atol=1e-8)


# ── cutting ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("criterion", ["reap", "naee"])
def test_every_family_is_smaller_and_loads_again(family, pristine, criterion, tmp_path):
    model = copy.deepcopy(pristine)
    model, report = made(criterion, model).apply(model, 0.5)
    found = mixtures.find(model)
    assert report.physical
    assert report.unit == "experts"
    assert (report.gone, report.targeted, report.measured) == (4 * len(found), 8 * len(found), 0.5)
    assert {mixture.size for mixture in found} == {4}
    assert model.num_parameters() < pristine.num_parameters()
    model.save_pretrained(tmp_path)
    loaded, info = AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert torch.equal(logits(loaded), logits(model))
    parts = [m.name for m in anatomy.read(loaded).matrices]
    assert parts == [m.name for m in anatomy.read(model).matrices]


def compressed(source, tmp_path):
    """The directory after `resect compress`, loaded by plain transformers."""
    text = tmp_path / "text.txt"
    text.write_text("Aspirin treats pain. " * 50)
    asked = Calibration(data=str(text), nsamples=2, seqlen=32)
    out = tmp_path / "cut"
    said: list[str] = []
    recipe = Recipe.of(steps="experts:0.5")
    ref = ModelRef(role="model", id=str(source))
    compress_to(ref, recipe, out, calibration=asked, notice=said.append)
    loaded, info = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(info.values())
    assert {m.size for m in mixtures.find(loaded)} == {4}
    return loaded, said


def test_gpt_oss_as_it_is_published_is_unpacked_cut_and_loads_again(tmp_path):
    source, _ = tiny.save_mxfp4(tmp_path / "source", experts=8)
    loaded, _ = compressed(source, tmp_path)
    whole = loading.load(ModelRef(role="model", id=str(source)), "cpu").model
    kept = [
        expert
        for expert in range(8)
        if any(
            torch.equal(whole.model.layers[0].mlp.experts.down_proj[expert], other)
            for other in loaded.model.layers[0].mlp.experts.down_proj
        )
    ]
    assert len(kept) == 4


def test_of_a_model_that_also_sees_the_text_part_is_cut_and_that_is_said(tmp_path):
    torch.manual_seed(0)
    vision = {"depth": 1, "hidden_size": 32, "num_heads": 2, "intermediate_size": 32,
              "out_hidden_size": 32, "patch_size": 4, "num_position_embeddings": 16}  # fmt: skip
    text = tiny.config("qwen3_5_moe_text", experts=8).to_dict()
    config = AutoConfig.for_model("qwen3_5_moe", text_config=text, vision_config=vision)
    AutoModelForImageTextToText.from_config(config).save_pretrained(tmp_path / "source")
    tiny.tokenizer().save_pretrained(tmp_path / "source")
    loaded, said = compressed(tmp_path / "source", tmp_path)
    assert loaded.config.model_type == "qwen3_5_moe_text"
    assert any("only its text part is loaded" in sentence for sentence in said)


def test_what_stays_is_untouched(family, pristine):
    """Kept experts and router rows are the very ones; shared experts and dense layers too."""
    model = copy.deepcopy(pristine)
    method = made("reap", model)
    method.apply(model, 0.5)
    kept = {}
    for before, after in zip(mixtures.find(pristine), mixtures.find(model), strict=True):
        names = [n for n in method.order_ if (n + ".").startswith(before.name + ".")]
        size = 8 // len(names)
        index = [
            method.order_[n][-size // 2 :].sort().values + at * size for at, n in enumerate(names)
        ]
        kept[before.name] = torch.cat(index)
        if before.groups > 1:
            assert [len(part) for part in index] == [size // 2] * before.groups
        assert after.name == before.name
    old, new = pristine.state_dict(), model.state_dict()
    assert old.keys() == new.keys()
    cut = 0
    for name, value in old.items():
        place = next((p for p in kept if name.startswith(p + ".") and "shared" not in name), None)
        expected = value if place is None else value[kept[place]]
        assert torch.equal(new[name], expected), name
        cut += place is not None
    assert cut >= 3 * len(kept)


@pytest.mark.parametrize("ratio", RATIOS)
def test_random_keeps_exactly_what_is_asked(ratio):
    model = tiny.model("qwen3_moe", experts=16)
    model, report = made("random", model, (ratio,)).apply(model, ratio)
    assert report.measured == report.asked == ratio
    assert [m.size for m in mixtures.find(model)] == [16 - int(16 * ratio)] * 2


def test_random_follows_its_seed_and_levels_are_contained():
    model = tiny.model("mixtral", experts=16)
    orders = [made("random", model, seed=seed).order_ for seed in (0, 0, 1)]
    layers = list(orders[0])
    assert all(torch.equal(orders[0][n], orders[1][n]) for n in layers)
    assert any(not torch.equal(orders[0][n], orders[2][n]) for n in layers)
    assert not torch.equal(orders[0][layers[0]], orders[0][layers[1]])
    assert not torch.equal(orders[0][layers[0]], torch.arange(16))


@pytest.mark.slow
def test_parameters_bytes_and_memory_fall_as_the_level_says():
    """An expert of two layers has 3 x 32 x 5120 weights and a router row, of 4 bytes each."""
    sizes, peaks = [], []
    for gone in (0, 8, 14):
        model = tiny.model("mixtral", experts=16, intermediate_size=5120)
        model, _ = made("random", model, (gone / 16,)).apply(model, gone / 16)
        sizes.append(measure.size(model))
        if gone != 8:
            found = workload.measured(model)
            # A process that compiles what it imports, as the first one does, holds more throughout.
            peaks.append(found["peak_memory"] - found["idle_memory"])
    for gone, found in zip((8, 14), sizes[1:], strict=True):
        weights = 2 * gone * (3 * 32 * 5120 + 32)
        assert sizes[0].parameters - found.parameters == weights
        assert sizes[0].bytes_on_disk - found.bytes_on_disk == 4 * weights
        assert sizes[0].bytes_in_memory - found.bytes_in_memory == 4 * weights
    assert peaks[0] - peaks[1] > 0.7 * 4 * weights


# ── the dead and the decisive ───────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def planted():
    """Expert 2 of every layer is never routed to, expert 5 nearly always and with large outputs."""
    model = tiny.model("gpt_oss", experts=8)
    for mixture in mixtures.find(model):
        with torch.no_grad():
            mixture.router.bias[2] = -1000.0
            mixture.router.bias[5] = 6.0
            mixture.experts.down_proj[5] *= 10
    return model


KNOWN = ("frequency", "gate", "ean", "easy-ep", "reap", "naee")


def test_every_criterion_is_tried():
    assert set(KNOWN) == {*CRITERIA, "naee"}


@pytest.mark.parametrize("criterion", KNOWN)
def test_the_dead_goes_first_and_changes_nothing_the_decisive_stays(planted, criterion):
    model = copy.deepcopy(planted)
    levels = (0.125, 0.75)
    method = made(criterion, model, levels)
    groups = method.groups(model)
    for group in groups:
        assert 2 not in method.stay(group, 7).tolist()
        assert 5 in method.stay(group, 2).tolist()
    model, _ = method.apply(model, 0.125)
    torch.testing.assert_close(logits(model), logits(planted), atol=1e-5, rtol=1e-5)


def test_a_cut_among_experts_that_no_token_came_to_is_said():
    """Of equal scores position decides, which is not what the criterion says."""
    model = tiny.model("gpt_oss", experts=8)
    for mixture in mixtures.find(model):
        with torch.no_grad():
            mixture.router.bias[[0, 1, 2]] = -1000.0
    method = made("reap", model, (0.25, 0.375))
    half, report = method.apply(copy.deepcopy(model), 0.25)
    assert "in 2 of 2 groups the cut falls among experts that no calibration" in report.notes[0]
    assert [m.size for m in mixtures.find(half)] == [6, 6]
    _, report = method.apply(copy.deepcopy(model), 0.375)
    assert report.notes == ()


# ── experts as modules of their own ─────────────────────────────────────────────────────────────


def unfused(model, layout):
    model = copy.deepcopy(model)
    for block in model.model.layers:
        if layout == "together":
            stacked = block.mlp.experts
            block.mlp.experts = Together(map(Expert, stacked.gate_up_proj, stacked.down_proj))
        else:
            block.mlp = Apart(block.mlp)
            block.mlp.register_forward_hook(lambda _m, _x, out: out[0])
    return model


@pytest.mark.parametrize("layout", ["together", "apart"])
@pytest.mark.slow
def test_experts_as_modules_score_and_cut_as_the_fused_ones(layout):
    fused = tiny.model("mixtral", experts=8)
    model = unfused(fused, layout)
    torch.testing.assert_close(logits(model), logits(fused), atol=1e-4, rtol=1e-4)
    assert [m.together for m in mixtures.find(model)] == [layout == "together"] * 2
    parts = [[m.name for m in anatomy.read(m).matrices] for m in (fused, model)]
    assert sorted(parts[0]) == sorted(parts[1])  # the router, though linear here, is left alone
    reference = expected("mixtral", fused)
    for criterion in KNOWN:
        one, other = made(criterion, fused), made(criterion, model)
        if criterion == "naee":
            assert {k: v.tolist() for k, v in one.best_.items()} == {
                k: v.tolist() for k, v in other.best_.items()
            }
            continue
        for name, score in other.scores(model, Context(TEXT)).items():
            torch.testing.assert_close(score, reference[name][criterion], rtol=2e-4, atol=1e-6)
    half, _ = one.apply(fused, 0.5)
    apart, _ = other.apply(model, 0.5)
    assert len(apart.model.layers[0].mlp.experts) == 4
    assert apart.model.layers[0].mlp.gate.weight.shape[0] == 4
    assert apart.config.num_local_experts == 4
    torch.testing.assert_close(logits(apart), logits(half), atol=1e-4, rtol=1e-4)


# ── merging ─────────────────────────────────────────────────────────────────────────────────────


def average_linkage(features, count):
    """Clusters by plain loops: the two nearest by the mean distance of their members join."""
    clusters = [[expert] for expert in range(len(features))]
    while len(clusters) > count:
        distances = {
            (a, b): sum(float((features[i] - features[j]).norm()) for i in one for j in other)
            / (len(one) * len(other))
            for a, one in enumerate(clusters)
            for b, other in enumerate(clusters)
            if a < b
        }
        a, b = min(distances, key=distances.__getitem__)
        clusters[a] = sorted(clusters[a] + clusters.pop(b))
    return clusters


def test_merged_experts_are_the_means_of_their_clusters(family, pristine):
    """Features, frequencies and means of every layer, token by token in float64."""
    model = copy.deepcopy(pristine)
    method = methods.make(Step.parse("experts,how=merge"))
    method.prepare(model, [0.5], Context(TEXT))
    state, joined = pristine.state_dict(), 0
    method.apply(model, 0.5)
    after = model.state_dict()
    for mixture in mixtures.find(pristine):
        module, place = mixture.module, mixture.name
        ((_, inputs),) = streams(pristine, [place]).values()
        features = torch.stack(
            [sum(output(family, module.experts, e, x) for x in inputs) for e in range(8)]
        ) / len(inputs)
        tokens = torch.zeros(8, dtype=torch.float64)
        for x in inputs:
            for expert, _ in routed(family, module, x):
                tokens[expert] += 1
        size, rows = 8 // mixture.groups, {}
        for start in range(0, 8, size):
            for members in average_linkage(features[start : start + size], size // 2):
                places = [start + member for member in members]
                joined += len(places) > 1
                share = tokens[places] / tokens[places].sum()
                if not tokens[places].sum():
                    share = torch.full((len(places),), 1 / len(places), dtype=torch.float64)
                rows[places[int(tokens[places].argmax())]] = (places, share)
        checked = 0
        for name, value in state.items():
            if not name.startswith(f"{place}.") or "shared" in name:
                continue
            expected = torch.stack(
                [torch.einsum("e...,e->...", value[places].double(), share)
                 for _, (places, share) in sorted(rows.items())]
            )  # fmt: skip
            torch.testing.assert_close(after[name].double(), expected, rtol=1e-5, atol=1e-7)
            checked += 1
        assert checked >= 3
    assert joined


def test_merging_what_writes_the_same_changes_nothing():
    """Two copies of every expert, router rows included: one of each is as good."""
    model = tiny.model("mixtral", experts=8)
    for block in model.model.layers:
        for value in (*block.mlp.experts.parameters(), block.mlp.gate.weight):
            value.data[1::2] = value.data[::2]
    features = methods.make(Step.parse("experts,how=merge"))
    features.prepare(model, [0.5], Context(TEXT))
    for name in [mixture.name for mixture in mixtures.find(model)]:
        found = [each.tolist() for each in features.tree_of_[name].clusters(4)]
        assert sorted(found) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    before = [m.output(0, torch.ones(1, 32)) for m in mixtures.find(model)]
    merged, _ = features.apply(model, 0.5)
    after = [m.output(0, torch.ones(1, 32)) for m in mixtures.find(merged)]
    torch.testing.assert_close(after, before)


def test_merging_reads_no_criterion():
    with pytest.raises(RequestError, match="not by ean: leave out criterion"):
        methods.make(Step.parse("experts,how=merge,criterion=ean"))
    with pytest.raises(RequestError, match="unknown how 'join'"):
        methods.make(Step.parse("experts,how=join"))


# ── refusals ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("made_of", "step", "level", "sentence"),
    [
        ({"family": "mistral"}, "experts", 0.5, "has no routed experts"),
        ({"family": "mixtral", "experts": 8}, "experts", 0.875, "leaves 1 of 8 experts in every "
         "layer, and this model routes over 2: cut no more than 0.75"),
        ({"family": "deepseek_v3", "experts": 8}, "experts", 0.75, "leaves 1 of 4 experts in "
         "every routing group, and this model routes over 2: cut no more than 0.5"),
        ({"family": "qwen3_moe", "experts": 64}, "experts,criterion=naee", 0.5,
         "every way to keep 32 of 64 experts, 1.83e[+]18 a layer"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused_before_anything_runs(made_of, step, level, sentence):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(tiny.config(**made_of))
    with pytest.raises(RequestError, match=sentence):
        methods.make(Step.parse(step)).fits(model, [level])


def test_a_text_of_its_own_stands_in_for_the_study_s():
    step = "experts,data=clinic,nsamples=4,seqlen=24"
    model = tiny.model("mixtral", experts=8)
    tokenizer = tiny.tokenizer()
    own = methods.make(Step.parse(step), seed=3)
    asked = Calibration(data="clinic", nsamples=4, seqlen=24, seed=3)
    text = calibration_text.tokens(asked, tokenizer, 10_000)
    study = methods.make(Step.parse("experts"), seed=3)
    assert (own.calibrated, study.calibrated, study.sources()) == (False, True, ())
    found = own.scores(model, Context(TEXT, tokenizer))
    for name, score in study.scores(model, Context(text)).items():
        assert torch.equal(found[name], score)
    assert own.sources() == (calibration_text.name_of(asked),)
    assert own.sources() != methods.make(Step.parse(step), seed=4).sources()


def test_wrong_options_are_named():
    with pytest.raises(RequestError, match="random removal reads no text: leave out data"):
        methods.make(Step.parse("experts,criterion=random,data=clinic"))
    with pytest.raises(RequestError, match="unknown criterion 'reaper': did you mean reap"):
        methods.make(Step.parse("experts,criterion=reaper"))
    method, model = methods.make(Step.parse("experts")), tiny.model("mixtral")
    with pytest.raises(RequestError, match="needs calibration text"):
        method.prepare(model, [0.5], Context())


def test_layers_of_different_size_are_refused():
    model = tiny.model("mixtral", experts=8)
    mlp = model.model.layers[1].mlp
    for holder, name in (
        (mlp.experts, "gate_up_proj"), (mlp.experts, "down_proj"), (mlp.gate, "weight"),
    ):  # fmt: skip
        setattr(holder, name, nn.Parameter(getattr(holder, name)[:6]))
    with pytest.raises(RequestError, match="have 6 to 8 experts"):
        mixtures.find(model)
