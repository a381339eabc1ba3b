"""From a step to its method: the class that the table names. Listing methods imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from resect.errors import RequestError, unknown
from resect.methods.options import defaults, values
from resect.record import GGUF_BITS
from resect.spec import BITS, Recipe, Scalar, Step, entry_of, every_method

if TYPE_CHECKING:
    from resect.methods.step import Method


def options(name: str) -> set[str]:
    """The options that a method takes."""
    return set(defaults(_class(name)))


def make(step: Step, seed: int = 0) -> Method:
    """The method a step names, with its options; wrong names and options are `RequestError`s.

    `seed` goes to methods that take one, unless the step names its own.
    """
    takes_seed = "seed" in options(step.method)
    given = {"seed": seed, **step.options} if takes_seed else step.options
    method: Method = _class(step.method)(**_read(step.method, given))
    return method


def check(step: Step, swept: bool = False, seed: int = 0) -> Method:
    """As `make`; also raises `RequestError` where the step's level does not fit the method."""
    method = make(step, seed)
    entry = entry_of(step.method)
    dose = None if entry is None else entry.dose
    if dose is None or method.fixed is not None:
        if step.level is not None or swept:
            raise RequestError(f"{step.method} takes no level: remove it from {step}.")
    elif step.level is None and not swept:
        example = "Q4_K_M" if dose == BITS else "0.5"
        raise RequestError(
            f"{step} has no level: write {step.method}:{example}, or give levels to sweep."
        )
    elif step.level is not None and step.level >= 1 and "fraction" in dose:
        raise RequestError(f"level {step.level:g} is out of range: give a fraction in [0, 1).")
    if step.level is not None:
        method.takes(step.level)
    return method


def for_sweep(step: Step) -> Step:
    """The step as a sweep runs it. Default options are left out, so that one recipe has one name.

    What a sweep judges is what `resect compress` writes: the defaults are the same.
    """
    default = defaults(_class(step.method))
    typed = _read(step.method, step.options)
    changed = {name: value for name, value in step.options.items() if typed[name] != default[name]}
    return step.model_copy(update={"options": changed})


BLOCK = 256
"""Weights that K types of llama.cpp store together: rows of other lengths take larger types.

It is a multiple of the groups of `autoround`, too.
"""
_WITHOUT_BLOCKS = {GGUF_BITS[kind] for kind in ("F16", "Q8_0", "Q4_0")}


def needs_blocks(recipe: Recipe) -> bool:
    """Whether a recipe cuts MLPs to any width before it writes blocks or groups of weights."""
    last = recipe.steps[-1] if recipe.steps else None
    entry = entry_of(last.method) if last else None
    if last is None or entry is None or not entry.serve:
        return False
    kinds = {last.level} if last.level else set(recipe.levels)
    in_any_row = entry.dose == BITS and not kinds - _WITHOUT_BLOCKS
    return not in_any_row and any(map(_any_width, recipe.steps))


def in_blocks(recipe: Recipe) -> Recipe:
    """The recipe with widths that are multiples of `BLOCK`, where it says nothing of them."""
    steps = tuple(
        step.model_copy(update={"options": {**step.options, "multiple_of": BLOCK}})
        if _any_width(step)
        else step
        for step in recipe.steps
    )
    return recipe.model_copy(update={"steps": steps})


def _any_width(step: Step) -> bool:
    return "multiple_of" in options(step.method) and "multiple_of" not in step.options


_RANDOM = {
    "targeted weights": "random",
    "neurons": "neurons,criterion=random",
    "attention heads": "heads,criterion=random",
    "decoder blocks": "blocks,criterion=random",
    "hidden channels": "hidden,criterion=random",
    "experts": "experts,criterion=random",
}
"""The random cut of what a level counts, by `Entry.part`."""
_SCOPE = ("multiple_of", "by", "pattern", "include", "exclude", "lm_head", "embeddings")
"""Options that say what is cut, not in which order."""


def control(step: Step) -> Step | None:
    """The step that cuts the same at random, which any criterion must beat.

    None for a step that is random itself, or whose level is no fraction of known parts.
    """
    entry = entry_of(step.method)
    text = _RANDOM.get(entry.part or "") if entry else None
    if text is None or step.method == "random" or step.options.get("criterion") == "random":
        return None
    random = Step.parse(text)
    shared = {k: v for k, v in step.options.items() if k in _SCOPE and k in options(random.method)}
    return random.model_copy(update={"level": step.level, "options": {**random.options, **shared}})


def _read(method: str, given: Mapping[str, Scalar]) -> dict[str, Any]:
    """Options as values of their declared types."""
    method_class = _class(method)
    if "id" in given and "id" not in defaults(method_class):
        raise RequestError(f"level {given['id']!r} is not a number: give one like 0.5.")
    return values(method_class, method, given)


def _class(name: str) -> Callable[..., Method]:
    entry = entry_of(name)
    if entry is None:
        raise unknown("method", name, every_method())
    module, _, attribute = entry.where.partition(":")
    method: Callable[..., Method] = getattr(import_module(module), attribute)
    return method
