"""Levels by block: each paper's formula in float64, exact totals, levels that stay contained."""

from __future__ import annotations

import json

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.errors import RequestError
from resect.spec import Step

if WHEN_RUN:
    import torch
    from layer_inputs import inputs_of

    from resect import anatomy
    from resect.methods import fragility
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.masks import lowest_evenly, removed
    from resect.methods.step import Context
    from resect.methods.weights.allocation import Allotment, hill

    TEXT = Tokens(torch.randint(3, 259, (5, 30), generator=torch.Generator().manual_seed(3)))


def model_of(layers=4):
    """Blocks that differ: one has outliers, one a heavy spectral tail."""
    model = tiny.model("mistral", num_hidden_layers=layers)
    generator = torch.Generator().manual_seed(1)
    for number, block in enumerate(anatomy.read(model).blocks):
        for matrix in block.matrices:
            weight = matrix.weight()
            noise = torch.rand(weight.shape, generator=generator)
            weight.mul_(1 + (number + 1) * 4 * (noise > 0.99))
            weight[: len(weight) // 4].mul_(1 + number / 2)
    return model


def levels_of(model) -> dict[str, float]:
    """The share of zeros of every block."""
    shares = {}
    for block in anatomy.read(model).blocks:
        zeros = sum(int((m.weight() == 0).sum()) for m in block.matrices)
        shares[block.name] = zeros / sum(m.weight().numel() for m in block.matrices)
    return shares


def pruned(text, context=None, model=None):
    step, model = Step.parse(text), model or model_of()
    method = methods.make(step)
    method.prepare(model, [step.level], context or Context(TEXT))
    return method.apply(model, step.level)


@pytest.mark.parametrize("method", ["wanda", "magnitude", "sparsegpt", "random", "ria"])
@pytest.mark.parametrize("spread", [0.08, 0.2])
def test_owl(method, spread):
    """Outlier ratio, scaled to 2 lambda, centred, then the level: the authors' steps."""
    seen, ratios = inputs_of(model_of(), TEXT), []
    for block in anatomy.read(model_of()).blocks:
        scores = torch.cat(
            [
                (m.weight().double().abs() * seen[m.site].square().mean(0).sqrt()).flatten()
                for m in block.matrices
            ]
        )
        ratios.append(float((scores > 3 * scores.mean()).double().mean() * 100))
    ratio = torch.tensor(ratios, dtype=torch.float64)
    ratio = (ratio - ratio.min()) / (ratio.max() - ratio.min()) * spread * 2
    expected = 1 - (ratio - ratio.mean() + (1 - 0.6))
    damaged, report = pruned(f"{method}:0.6,allocation=owl,outlier=3,spread={spread}")
    found = torch.tensor(list(levels_of(damaged).values()), dtype=torch.float64)
    assert len(set(expected.tolist())) > 2
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    assert report.gone == removed(report.targeted, 0.6)
    assert report.scope.endswith("levels by owl")


@pytest.mark.parametrize("method", ["magnitude", "wanda", "magnitude:0.5,scope=row"])
def test_alpha(method):
    """Hill's exponent of every matrix, its mean by block, mapped to 1 -/+ epsilon, then scaled."""
    means = []
    for block in anatomy.read(model_of()).blocks:
        exponents = []
        for m in block.matrices:
            values = sorted(float(v) ** 2 for v in torch.linalg.svdvals(m.weight().double()))
            tail = torch.tensor(values[len(values) // 2 :], dtype=torch.float64)
            exponents.append(1 + len(tail) / float((tail / tail[0]).log().sum()))
        means.append(sum(exponents) / len(exponents))
    score = torch.tensor(means, dtype=torch.float64)
    ratio = (score - score.min()) / (score.max() - score.min()) * 0.6 + 0.7
    expected = ratio * 0.5 * len(ratio) / ratio.sum()
    step = method if ":" in method else f"{method}:0.5"
    damaged, report = pruned(f"{step},allocation=alpha", Context(TEXT))
    found = torch.tensor(list(levels_of(damaged).values()), dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
    assert report.gone == removed(report.targeted, 0.5)


def test_the_exponent_of_a_power_law_is_found():
    """Singular values whose squares follow a density x^-3 have exponent 3."""
    count = 300
    squares = (1 - (torch.arange(count, dtype=torch.float64) + 0.5) / count) ** (-1 / 2)
    assert abs(hill(torch.diag(squares.sqrt()).float()) - 3) < 0.1
    assert hill(torch.zeros(4, 4)) == float("inf")


def test_totals_are_exact_and_counts_never_fall():
    """Blocks of any sizes, at hundreds of levels, to the bounds of what a block may lose."""
    generator = torch.Generator().manual_seed(0)
    sizes = {
        f"m{n}": int(s) for n, s in enumerate(torch.randint(1, 90, (23,), generator=generator))
    }
    for times in (False, True):
        spread = torch.rand(23, generator=generator, dtype=torch.float64)
        values = dict(zip(sizes, (spread + 0.5 if times else spread - 0.5).tolist(), strict=True))
        shares, total = Allotment(sizes, values, times), sum(sizes.values())
        before = dict.fromkeys(sizes, 0)
        for level in [number / 500 for number in range(500)] + [0.9999]:
            counts = shares.counts(level)
            assert sum(counts.values()) == removed(total, level)
            for name, count in counts.items():
                assert before[name] <= count <= sizes[name]
                assert removed(sizes[name], shares.level_of(name, level)) == count
            before = counts


def test_rows_give_as_many_as_each_other():
    score = torch.arange(12.0).reshape(3, 4).flip(1)
    mask = lowest_evenly(score, 5)
    assert mask.sum(1).tolist() == [2, 2, 1]
    assert mask[0].tolist() == [False, False, True, True]
    assert lowest_evenly(score, 12).all()
    assert not lowest_evenly(score, 0).any()


def probe_of(model, tmp_path, kls, part=""):
    """A probe's file with these KL by block, of the blocks or of a module in them."""
    rows = [
        fragility.Part(name=f"{b.name}{part}", block=n, weights=1000, kl=kl, flips=0.1)
        for n, (b, kl) in enumerate(zip(anatomy.read(model).blocks, kls, strict=True))
    ]
    probe = fragility.Probe(
        resect="0", model="tiny", fingerprint="", damage="", text="", tokens=1, parts=tuple(rows)
    )
    path = tmp_path / f"probe{part}.json"
    path.write_text(probe.model_dump_json())
    return path


def test_sensitivity_spares_what_the_probe_found_fragile(tmp_path):
    """Half the logarithmic range is the middle of the spread; what is measured is never above."""
    path = probe_of(model_of(3), tmp_path, (1.0, 0.1, 0.01))
    damaged, report = pruned(
        f"magnitude:0.5,allocation=sensitivity,probe={path},spread=0.1", Context(), model_of(3)
    )
    assert [round(level, 3) for level in levels_of(damaged).values()] == [0.4, 0.5, 0.6]
    assert report.gone == removed(report.targeted, 0.5)
    method = methods.make(Step.parse(f"magnitude:0.5,allocation=sensitivity,probe={path}"))
    first = method.sources()
    path.write_text(path.read_text() + "\n")
    assert method.sources() != first


def test_a_probe_of_another_model_and_no_probe_are_one_sentence(tmp_path):
    path = probe_of(model_of(3), tmp_path, (1.0, 0.1, 0.01), ".mlp")
    method = methods.make(Step.parse(f"wanda:0.5,allocation=sensitivity,probe={path}"))
    with pytest.raises(RequestError, match=r"has no part with model\.layers\.0\.self_attn"):
        method.fits(model_of(3), [0.5])
    narrow = f"wanda:0.5,allocation=sensitivity,probe={path},include=*.mlp.*"
    methods.make(Step.parse(narrow)).fits(model_of(3), [0.5])
    with pytest.raises(RequestError, match=r"has no part with model\.layers\.3\.mlp"):
        methods.make(Step.parse(narrow)).fits(model_of(4), [0.5])
    path.write_text(json.dumps({"parts": []}))
    with pytest.raises(RequestError, match="is no probe"):
        method.fits(model_of(3), [0.5])
    path.unlink()
    with pytest.raises(RequestError, match="cannot be read"):
        method.fits(model_of(3), [0.5])
