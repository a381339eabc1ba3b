"""What every method must keep: exact counts, the rest untouched, straight equals walked."""

from __future__ import annotations

import copy

import pytest
import tiny
import torch

from resect import anatomy, methods
from resect.methods.masks import removed
from resect.spec import Step

LEVELS = [0.1, 0.25, 0.5, 0.55, 0.9]
CASES = [Step.parse("magnitude"), Step.parse("magnitude,scope=layer")]
MODELS = [("mistral", torch.bfloat16), ("llama", torch.float32), ("gemma2", torch.float16),
          ("mixtral", torch.bfloat16), ("gpt_oss", torch.float32)]  # fmt: skip


def test_every_method_has_a_case():
    assert {step.method for step in CASES} == set(methods.METHODS)


@pytest.fixture(params=MODELS, ids=lambda case: f"{case[0]}-{case[1]}")
def model(request):
    family, dtype = request.param
    return tiny.model(family, dtype=dtype)


@pytest.mark.parametrize("step", CASES, ids=str)
class TestMethod:
    def test_exact_contained_and_measured(self, step, model):
        method = methods.make(step)
        method.prepare(model, LEVELS, None)
        before = None
        for level in LEVELS:
            model, report = method.apply(model, level)
            zeros = {m.name: m.weight() == 0 for m in anatomy.read(model).matrices}
            counts = {name: removed(z.numel(), level) for name, z in zeros.items()}
            assert {name: int(z.sum()) for name, z in zeros.items()} == counts
            assert report.zeros == sum(counts.values())
            assert report.measured == report.zeros / report.targeted
            assert report.asked == level
            if before:
                assert all((zeros[name] | ~old).all() for name, old in before.items())
            before = zeros

    def test_straight_equals_walked(self, step, model):
        walked, straight = copy.deepcopy(model), copy.deepcopy(model)
        method = methods.make(step)
        method.prepare(walked, LEVELS, None)
        for level in LEVELS[:3]:
            walked, _ = method.apply(walked, level)
        other = methods.make(step)
        other.prepare(straight, [LEVELS[2]], None)
        straight, _ = other.apply(straight, LEVELS[2])
        for one, two in zip(walked.parameters(), straight.parameters(), strict=True):
            assert torch.equal(one, two)

    def test_the_rest_is_untouched(self, step, model):
        pristine = copy.deepcopy(model.state_dict())
        method = methods.make(step)
        method.prepare(model, [0.5], None)
        damaged, _ = method.apply(model, 0.5)
        targeted = {m.weight().untyped_storage().data_ptr() for m in anatomy.read(damaged).matrices}
        for name, value in damaged.state_dict().items():
            if value.untyped_storage().data_ptr() not in targeted:
                assert torch.equal(value, pristine[name]), name
            else:
                kept = value != 0
                assert torch.equal(value[kept], pristine[name][kept]), name


def test_a_wrong_option_is_named():
    with pytest.raises(methods.RequestError, match="did you mean scope"):
        methods.check(Step.parse("magnitude,scop=layer"))
    with pytest.raises(methods.RequestError, match="unknown scope 'rows'"):
        methods.check(Step.parse("magnitude,scope=rows"))
