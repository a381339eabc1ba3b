"""What every method must keep: exact counts, the rest untouched, straight equals walked."""

from __future__ import annotations

import copy

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.spec import METHODS, Step

if WHEN_RUN:
    import torch

    from resect import anatomy
    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.masks import removed
    from resect.methods.step import Context
    from resect.models import loading


LEVELS = [0.1, 0.25, 0.5, 0.55, 0.9]
CASES = [
    Step.parse(text)
    for text in (
        "magnitude", "magnitude,scope=row", "magnitude,scope=global", "magnitude,pattern=2:4",
        "magnitude,pattern=1:4", "random", "random,pattern=4:8", "random,scope=row",
        "wanda,inputs=pruned", "wanda,inputs=dense", "wanda,pattern=2:4,inputs=dense",
        "ria,inputs=pruned", "ria,inputs=dense", "ria,scope=row,inputs=dense",
        "sparsegpt,inputs=pruned,block=16", "sparsegpt,inputs=dense,block=16",
        "sparsegpt,pattern=2:4,inputs=dense",
        "magnitude,allocation=alpha", "random,allocation=alpha,scope=row",
        "wanda,allocation=owl", "ria,allocation=owl,inputs=dense",
        "sparsegpt,allocation=alpha,block=16",
    )
]  # fmt: skip
MODELS = [("mistral", "bfloat16"), ("llama", "float32"), ("gemma3_text", "float32"),
          ("phi3", "bfloat16"), ("mixtral", "float32"), ("nemotron_h", "float32"),
          ("deepseek_v3", "float32"), ("gpt_oss", "float32")]  # fmt: skip


ALONE = ("router.weight", ".gate.weight", "conv1d.weight")


def test_every_method_of_weights_has_a_case():
    of_weights = {n for n, entry in METHODS.items() if entry.dose == "fraction of the weights"}
    assert {step.method for step in CASES} == of_weights


@pytest.fixture(scope="module", params=MODELS, ids=lambda case: f"{case[0]}-{case[1]}")
def pristine(request):
    family, dtype = request.param
    return tiny.model(family, dtype=getattr(torch, dtype))


@pytest.fixture
def model(pristine):
    return copy.deepcopy(pristine)


@pytest.fixture(scope="module")
def text() -> Tokens:
    return Tokens(torch.randint(3, 259, (6, 24), generator=torch.Generator().manual_seed(7)))


def walk(step, model, text, levels):
    """The model at each level as a sweep walks it: in place where nested, else anew."""
    method = methods.make(step)
    levels = levels if method.fixed is None else [method.fixed]
    start = copy.deepcopy(model)
    method.prepare(model, levels, Context(text))
    for level in levels:
        model = model if method.nested else copy.deepcopy(start)
        model, report = method.apply(model, level if method.fixed is None else None)
        yield level, model, report


def asked(step, weights, level) -> int:
    scope = methods.make(step)
    if scope.n_of_m is not None:
        keep, of = scope.n_of_m
        return sum(w.numel() for w in weights) * (of - keep) // of
    if scope.allocation != "uniform":
        return removed(sum(w.numel() for w in weights), level)
    if scope.scope == "row":
        return sum(w.shape[0] * removed(w.shape[1], level) for w in weights)
    if scope.scope == "global":
        return removed(sum(w.numel() for w in weights), level)
    return sum(removed(w.numel(), level) for w in weights)


@pytest.mark.parametrize("step", CASES, ids=str)
class TestMethod:
    def test_counts_are_exact_and_levels_contained(self, step, model, text):
        before = None
        for level, damaged, report in walk(step, model, text, LEVELS):
            weights = {m.name: m.weight() for m in anatomy.read(damaged).matrices}
            zeros = {name: w == 0 for name, w in weights.items()}
            count = sum(int(z.sum()) for z in zeros.values())
            assert count == asked(step, list(weights.values()), level)
            assert report.gone == count
            assert report.measured == count / report.targeted
            assert report.asked == level
            assert all(torch.isfinite(w).all() for w in weights.values())
            if before and methods.make(step).nested:
                assert all((zeros[name] | ~old).all() for name, old in before.items())
            before = zeros

    def test_straight_equals_walked(self, step, model, text):
        *_, (level, walked, _) = walk(step, copy.deepcopy(model), text, LEVELS[:3])
        ((_, straight, _),) = walk(step, model, text, [level])
        for one, two in zip(walked.parameters(), straight.parameters(), strict=True):
            assert torch.equal(one, two)

    def test_the_rest_is_untouched(self, step, model, pristine, text):
        narrow = step.model_copy(update={"options": {**step.options, "include": "*.layers.1.*"}})
        ((_, damaged, _),) = walk(narrow, model, text, [0.5])
        kept = 0
        for (name, value), old in zip(
            damaged.state_dict().items(), pristine.state_dict().values(), strict=True
        ):
            if ".layers.1." not in name or value.dim() == 1 or name.endswith(ALONE):
                assert torch.equal(value, old), name
                kept += 1
            elif methods.make(step).name != "sparsegpt":
                assert torch.equal(value[value != 0], old[value != 0]), name
        assert kept

    def test_the_same_seed_gives_the_same(self, step, model, text):
        ((_, one, _),) = walk(step, copy.deepcopy(model), text, [0.5])
        ((_, two, _),) = walk(step, model, text, [0.5])
        for a, b in zip(one.parameters(), two.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("step", [s for s in CASES if "pattern" not in s.options], ids=str)
def test_dose_zero_changes_nothing(step, model, pristine, text):
    ((_, damaged, report),) = walk(step, model, text, [0.0])
    assert report.measured == report.asked == 0
    for one, two in zip(damaged.parameters(), pristine.parameters(), strict=True):
        assert torch.equal(one, two)


def test_random_follows_its_seed(pristine):
    masks = []
    for seed in (0, 1):
        model = copy.deepcopy(pristine)
        method = methods.make(Step.parse("random"), seed)
        method.apply(model, 0.5)
        masks.append([m.weight() == 0 for m in anatomy.read(model).matrices])
    assert any(not torch.equal(a, b) for a, b in zip(*masks, strict=True))


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("magnitude:0.5,scop=layer", "did you mean scope"),
        ("magnitude:0.5,scope=rows", "unknown scope 'rows': did you mean row"),
        ("magnitude,pattern=4:2", "pattern '4:2' cannot be read"),
        ("magnitude,pattern=2", "pattern '2' cannot be read"),
        ("magnitude:0.5,pattern=2:4", "takes no level"),
        ("wanda:0.5,inputs=sparse", "unknown inputs 'sparse'"),
        ("wanda", "has no level"),
        ("wanda:1", "out of range"),
        ("wanda:0.5,allocation=owls", "unknown allocation 'owls'"),
        ("wanda,pattern=2:4,allocation=owl", "cannot be combined"),
        ("magnitude:0.5,scope=global,allocation=alpha", "cannot be combined"),
        ("wanda:0.5,spread=0.1", "spread=0.1 cannot be used"),
        ("wanda:0.5,allocation=alpha,spread=1", "spread=1 cannot be used"),
        ("wanda:0.5,allocation=sensitivity", "needs the file of a probe"),
        ("wanda:0.5,probe=file.json", "allocation=sensitivity only"),
    ],
)
def test_a_wrong_step_is_named(step, sentence):
    with pytest.raises(methods.RequestError, match=sentence):
        methods.check(Step.parse(step))


@pytest.mark.parametrize("name", sorted({step.method for step in CASES}))
def test_a_pattern_that_does_not_fit_and_an_empty_scope(name):
    """Names and shapes are known before a weight is read."""
    model = tiny.model("llama", intermediate_size=50)
    empty, cut = loading.empty(model.config), methods.make(Step.parse(f"{name},pattern=2:4"))
    for one in (empty, model):
        with pytest.raises(methods.RequestError, match=r"by 4, but those of .*\.0\.mlp\.down_proj"):
            cut.fits(one, [])
        with pytest.raises(methods.RequestError, match="no matrix matches"):
            methods.make(Step.parse(f"{name},include=*nothing*")).fits(one, [0.5])
        methods.make(Step.parse(f"{name},pattern=2:4,exclude=*.down_proj")).fits(one, [])
    if name == "magnitude":
        with pytest.raises(methods.RequestError, match=r"divides? by 4"):
            cut.apply(model, None)
