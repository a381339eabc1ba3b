"""What every method that cuts parts out must keep: exact counts, and a model that loads."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.spec import METHODS, Step

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect.methods.calibration.calibration_text import Tokens
    from resect.methods.masks import removed
    from resect.methods.step import Context
    from resect.models import checkpoint_files as checkpoint
    from resect.running.measure import sizes as measure


LEVELS = [0.1, 0.25, 0.5, 0.55, 0.8]
TEXTS = "target=task:clinic-medicine,distractor=task:clinic-logic,nsamples=2,seqlen=24"
CASES = [
    Step.parse(text)
    for text in (
        "neurons", f"neurons,criterion=selectivity,{TEXTS}", "neurons,criterion=random",
        "neurons,criterion=taylor,update=lstsq", "nodes",
        "neurons,criterion=magnitude,order=reverse,multiple_of=4",
        "heads", "heads,by=query", "heads,criterion=norm", "heads,criterion=random,by=query",
        "heads,criterion=activation,by=query", "heads,criterion=flap,update=lstsq,by=query",
        "blocks", "blocks,criterion=loss", "blocks,criterion=random",
        "experts", "experts,criterion=random", "experts,how=merge",
        "hidden", "hidden,criterion=random",
    )
]  # fmt: skip
# Where the config takes some counts of heads only, or none, `heads` has tests of its own.
FAMILIES = ("mistral", "qwen3", "phi3", "gpt_oss")
PAIRS = [
    (step, family)
    for step in CASES
    for family in FAMILIES
    if step.method != "experts" or family in tiny.ROUTED
]


def test_every_method_that_cuts_parts_out_has_a_case():
    cutting = {
        name
        for name, entry in METHODS.items()
        if entry.dose and entry.dose.startswith("fraction") and "weights" not in entry.dose
    }
    assert {step.method for step in CASES} == cutting


@cache
def pristine_of(family):
    experts = {"num_local_experts": 8} if family in tiny.ROUTED else {}
    return tiny.model(family, num_hidden_layers=3, intermediate_size=80, **experts)


@pytest.fixture
def pristine(family):
    return pristine_of(family)


@pytest.fixture
def model(pristine):
    return copy.deepcopy(pristine)


@pytest.fixture(scope="module")
def context() -> Context:
    ids = torch.randint(3, 259, (6, 24), generator=torch.Generator().manual_seed(7))
    return Context(Tokens(ids), tiny.tokenizer())


def walk(step, model, context, levels):
    """The model at each level as a sweep walks it: in place where nested, else anew."""
    method = methods.make(step)
    method.fits(model, levels)
    start = copy.deepcopy(model)
    method.prepare(model, levels, context)
    for level in levels:
        model = model if method.nested else copy.deepcopy(start)
        model, report = method.apply(model, level)
        yield level, model, report


def outputs(model) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.arange(3, 27)[None]).logits


def same(one, two) -> bool:
    a, b = one.state_dict(), two.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("step", "family"), PAIRS, ids=str)
class TestStructured:
    def test_counts_are_exact_and_levels_contained(self, step, model, context):
        method = methods.make(step)
        groups = method.groups(model)
        coarse = "multiple_of" in step.options or (
            method.unit in ("neurons", "hidden channels") and model.config.model_type in tiny.ROUTED
        )
        before, total = model.num_parameters(), sum(group.size for group in groups)
        for level, cut, report in walk(step, model, context, LEVELS):
            gone = sum(removed(group.size, level) for group in groups)
            assert report.gone <= gone
            assert report.gone == gone or coarse
            assert (report.asked, report.targeted) == (level, total)
            assert report.measured == report.gone / total
            assert report.physical
            assert (cut.num_parameters() < before) == bool(report.gone)
            assert all(torch.isfinite(value).all() for value in cut.parameters())
            assert torch.isfinite(outputs(cut)).all()

    def test_parameters_bytes_and_memory_fall_with_the_level(self, step, model, context, tmp_path):
        fields = ("parameters", "bytes_on_disk", "bytes_in_memory", "targeted")
        last, gone = measure.size(model), 0
        for _, cut, report in walk(step, model, context, LEVELS):
            now = measure.size(cut)
            less = [getattr(now, field) < getattr(last, field) for field in fields]
            assert less == [report.gone > gone] * len(fields)
            last, gone = now, report.gone
        cut.save_pretrained(tmp_path)
        assert checkpoint.read(tmp_path).bytes_on_disk == last.bytes_on_disk

    def test_straight_equals_walked(self, step, model, context):
        *_, (level, walked, _) = walk(step, copy.deepcopy(model), context, LEVELS[:3])
        ((_, straight, _),) = walk(step, model, context, [level])
        assert same(walked, straight)

    def test_level_0_changes_nothing(self, step, model, pristine, context):
        ((_, untouched, report),) = walk(step, model, context, [0])
        assert report.gone == 0
        assert same(untouched, pristine)

    def test_plain_transformers_loads_it_with_equal_logits(self, step, model, context, tmp_path):
        ((_, cut, report),) = walk(step, model, context, [0.5])
        assert report.physical
        cut.save_pretrained(tmp_path)
        found = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert torch.equal(outputs(cut), outputs(found))
        prompt = torch.arange(3, 15)[None]
        texts = [m.generate(prompt, max_new_tokens=5, do_sample=False) for m in (cut, found)]
        assert torch.equal(*texts)


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("neurons:0.5,criterion=select", "did you mean select"),
        ("neurons:0.5,update=lstq", "did you mean lstsq"),
        ("neurons:0.5,damp=0", "a number above 0"),
        ("neurons:0.5,order=random", "unknown order"),
        ("neurons:0.5,criterion=random,target=clinic,distractor=clinic", "reads no target"),
        ("neurons:0.5,criterion=selectivity,target=clinic", "belong together"),
        ("neurons:0.5,target=clinic,distractor=clinic", "add criterion=selectivity"),
        ("neurons:0.5,criterion=random,order=reverse", "random removal has no reverse"),
        ("neurons:0.5,multiple_of=0", "a number of at least 1"),
        ("neurons:0.5,criterion=selectivity,target=task:nothing,distractor=clinic", "unknown task"),
        ("heads:0.5,by=layer", "unknown by"),
        ("blocks:0.5,criterion=norm", "unknown criterion"),
        ("blocks", "has no level"),
    ],
)
def test_a_wrong_step_is_named(step, sentence):
    with pytest.raises(methods.RequestError, match=sentence):
        methods.check(Step.parse(step)).sources()
