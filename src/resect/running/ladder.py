"""The versions that `resect choose` considers, and what each would take, the smallest first."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from resect import methods
from resect.anatomy import mixtures
from resect.anatomy.config import built
from resect.deploy.footprint import Footprint, batch_for, buffer_bytes, cache_bytes
from resect.errors import RequestError, RunError
from resect.methods.parts.structured import Structured
from resect.record import GGUF_BITS, LLAMA_CPP, TRANSFORMERS, VLLM
from resect.spec import Recipe, Step

RUNTIMES = (LLAMA_CPP, TRANSFORMERS, VLLM)
TYPES = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
"""The types of a file of the whole model."""
CUT_TYPES = ("Q8_0", "Q5_K_M", "Q4_K_M", "Q3_K_M")
"""The types of a file of a model that was cut."""
PACKED = "autoround"
"""The step that packs what vLLM loads, in 4 bits."""
WORTH = ("gguf:Q4_K_M", PACKED)
"""A cut model has to be smaller than the whole one in these."""
CUTS = ("neurons:0.1", "neurons:0.2", "neurons:0.3", "blocks:0.1", "blocks:0.2")
EXPERT_CUTS = ("experts:0.25", "experts:0.5")

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class Candidate(NamedTuple):
    """One version: its recipe, what it would take, and the tokens that it reads at once."""

    recipe: Recipe
    footprint: Footprint
    batch: int


def bytes_from(text: str) -> int:
    """Bytes from a size like `8GB`, `60 MB` or `1.5GiB`; raises `RequestError` for another text."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)\s*([kmg]?i?)b?", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise RequestError(f"the budget {text[:40]!r} is no size: write one like 8GB or 60MB.")
    size = round(float(match[1]) * _UNITS[match[2]])
    if not size:
        raise RequestError("the budget is 0 bytes: give one like 8GB.")
    return size


def recipes_for(model: PreTrainedModel, runtime: str, tune: str | None) -> list[Recipe]:
    """The ladder of a model in a runtime; `tune` is the step that tunes a cut model back."""
    cuts = EXPERT_CUTS if _is_mixture(model) else CUTS
    tuned = [f"{cut} + {tune}" if tune else cut for cut in cuts]
    if runtime == TRANSFORMERS:
        return [Recipe.of(steps=steps) for steps in tuned]
    if runtime == VLLM:
        packed = [f"{cut} + {PACKED}" for cut in tuned]
        return [Recipe.of(steps=steps) for steps in (PACKED, f"{PACKED},bits=8", *packed)]
    whole = [f"gguf:{kind}" for kind in TYPES]
    every = [*whole, *(f"{cut} + gguf:{kind}" for cut in tuned for kind in CUT_TYPES)]
    return [Recipe.of(steps=steps) for steps in every]


def _is_mixture(model: PreTrainedModel) -> bool:
    try:
        return bool(mixtures.find(model))
    except RequestError:
        return False


def candidates(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    recipes: Sequence[Recipe],
    context: int,
    budget: int | None,
    kv: str = "f16",
) -> list[Candidate]:
    """What each recipe would take, the smallest file first; none that changes no shape or is larger
    than the whole model in a type that loses little.

    `model` may be without data. A recipe that the model cannot have is left out.
    """
    beside = _fields(model, tokenizer, recipes)
    sized = list(_sized(model, recipes, beside, context, budget, kv))
    whole = [c.footprint.file for c in sized if c.recipe.name in WORTH]
    cut = [c for c in sized if len(c.recipe.steps) > 1]
    worth = [c for c in sized if c not in cut or not whole or c.footprint.file < whole[0]]
    return sorted(worth, key=lambda c: c.footprint.file)


def _fields(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, recipes: Sequence[Recipe]
) -> int:
    if not any(recipe.runtime == LLAMA_CPP for recipe in recipes):
        return 0
    from resect.deploy import gguf_writer

    return gguf_writer.bytes_of_fields(model, tokenizer)


def _sized(
    model: PreTrainedModel,
    recipes: Sequence[Recipe],
    beside: int,
    context: int,
    budget: int | None,
    kv: str,
) -> Iterator[Candidate]:
    shapes: dict[str, PreTrainedModel | None] = {}
    known: set[tuple[str, int]] = set()
    for recipe in recipes:
        cuts = " + ".join(str(step) for step in recipe.steps if step.method not in ("gguf", PACKED))
        if cuts not in shapes:
            shapes[cuts] = _cut(model, recipe)
        small = shapes[cuts]
        if small is None:
            continue
        version = (_without_levels(recipe), small.num_parameters())
        if version in known:
            continue
        known.add(version)
        batch = batch_for(small, context, budget)
        file = _file(small, recipe, beside)
        if file is None:
            continue
        cache = cache_bytes(small, context, kv)
        yield Candidate(recipe, Footprint(file, cache, buffer_bytes(small, batch)), batch)


def _without_levels(recipe: Recipe) -> str:
    """The steps without the levels of cuts: two levels can round to one cut."""
    return " + ".join(
        str(step.model_copy(update={"level": None}) if _cuts(step) else step)
        for step in recipe.steps
    )


def _cuts(step: Step) -> bool:
    return isinstance(methods.make(step), Structured)


def _cut(model: PreTrainedModel, recipe: Recipe) -> PreTrainedModel | None:
    """The model without data after the cuts of a recipe; None where they cannot be had or change
    nothing.
    """
    small = built(model, {})
    assert small is not None, "a model's own config builds it"
    steps = [step for step in methods.in_blocks(recipe).steps if step.level]
    before, cut = small.num_parameters(), False
    for step in steps:
        method = methods.make(step)
        if isinstance(method, Structured) and step.level is not None:
            try:
                method.fits(small, [step.level])
                method.shrink_(small, step.level)
            except (RequestError, RunError):
                return None
            cut = True
    return small if not cut or small.num_parameters() < before else None


def _file(small: PreTrainedModel, recipe: Recipe, beside: int) -> int | None:
    """Bytes of what is written; None where the last step cannot be applied."""
    last = recipe.steps[-1]
    if last.method == PACKED:
        from resect.deploy import autoround_step

        step = methods.make(last)
        assert isinstance(step, autoround_step.AutoRound)
        return autoround_step.planned(small, step)
    if recipe.runtime != LLAMA_CPP:
        return sum(p.numel() * p.element_size() for p in small.parameters())
    from resect.deploy import gguf_writer

    (kind,) = (name for name, bits in GGUF_BITS.items() if bits == last.level)
    weighed = last.options.get("imatrix", "none") != "none"
    return gguf_writer.planned(copy.copy(small), kind, weighed) + beside
