"""The methods: one table, name to class and one line. Listing it imports no torch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from resect.errors import RequestError, unknown
from resect.spec import Step

if TYPE_CHECKING:
    from resect.methods.base import Method


class Entry(NamedTuple):
    """Where a method is and what it does; `dose` is what its level counts, None without one."""

    where: str
    summary: str
    dose: str | None


METHODS: dict[str, Entry] = {
    "magnitude": Entry(
        "resect.methods.magnitude:Magnitude",
        "smallest |w| to zero, by layer, row or over the whole model",
        "fraction of the weights",
    ),
    "wanda": Entry(
        "resect.methods.wanda:Wanda",
        "smallest |w| x input norm of every output row to zero",
        "fraction of the weights",
    ),
    "sparsegpt": Entry(
        "resect.methods.sparsegpt:SparseGpt",
        "second-order pruning, the kept weights updated to make up for it",
        "fraction of the weights",
    ),
    "ria": Entry(
        "resect.methods.ria:Ria",
        "smallest relative importance x input norm to zero",
        "fraction of the weights",
    ),
    "random": Entry(
        "resect.methods.random:Random",
        "weights to zero at random, the control",
        "fraction of the weights",
    ),
    "experts": Entry(
        "resect.methods.experts:Experts",
        "routed experts of a mixture cut out, by what they add; the model gets smaller",
        "fraction of the experts",
    ),
    "bnb-int8": Entry(
        "resect.methods.bnb:Int8",
        "8 bits by bitsandbytes (LLM.int8)",
        None,
    ),
    "bnb-nf4": Entry(
        "resect.methods.bnb:Nf4",
        "4 bits by bitsandbytes (normal floats)",
        None,
    ),
    "torchao-int8": Entry(
        "resect.methods.torchao:Int8",
        "8 bits by torchao, weights only",
        None,
    ),
    "torchao-int4": Entry(
        "resect.methods.torchao:Int4",
        "4 bits by torchao, weights only, where the machine has kernels",
        None,
    ),
    "lora": Entry(
        "resect.recover.lora:Lora",
        "tune back with low-rank adapters, merged with zeros kept (QLoRA over 4 bits)",
        None,
    ),
    "finetune": Entry(
        "resect.recover.finetune:Finetune",
        "tune back all weights, zeros kept",
        None,
    ),
    "distill": Entry(
        "resect.recover.distill:Distill",
        "tune back with adapters that learn from the uncut model",
        None,
    ),
    "checkpoint": Entry(
        "resect.methods.checkpoint:Checkpoint",
        "somebody else's compressed model in place of this one",
        None,
    ),
    "neurons": Entry(
        "resect.methods.neurons:Neurons",
        "MLP neurons cut out, the least task-specific first, reverse, by size or at random",
        "fraction of the neurons",
    ),
    "nodes": Entry(
        "resect.methods.neurons:Nodes",
        "nodes:0.2 cuts the 20 % of MLP neurons with the smallest weights out of every layer",
        "fraction of the neurons",
    ),
    "heads": Entry(
        "resect.methods.heads:Heads",
        "attention heads cut out, in whole groups or evenly from every group",
        "fraction of the heads",
    ),
    "blocks": Entry(
        "resect.methods.blocks:Blocks",
        "whole decoder blocks cut out, the least influential first or at random",
        "fraction of the blocks",
    ),
}


def options(name: str) -> set[str]:
    """The options that a method takes."""
    return set(inspect.signature(_class(name)).parameters)


def make(step: Step, seed: int = 0) -> Method:
    """The method a step names, with its options; wrong names and options are `RequestError`s.

    `seed` goes to methods that take one, unless the step names its own.
    """
    known = options(step.method)
    if "id" in step.options and "id" not in known:
        raise RequestError(f"level {step.options['id']!r} is not a number: give one like 0.5.")
    for option in step.options:
        if option not in known:
            raise unknown(f"option of {step.method}", option, known)
    given = {"seed": seed, **step.options} if "seed" in known else step.options
    method: Method = _class(step.method)(**given)
    return method


def check(step: Step, swept: bool = False, seed: int = 0) -> Method:
    """As `make`, and the level must be one the method has."""
    method = make(step, seed)
    dose = METHODS[step.method].dose
    if dose is None or method.fixed is not None:
        if step.level is not None or swept:
            raise RequestError(f"{step} takes no level: leave it out.")
    elif step.level is None and not swept:
        raise RequestError(
            f"{step} has no level: write {step.method}:0.5, or give levels to sweep."
        )
    elif step.level is not None and step.level >= 1 and "fraction" in dose:
        raise RequestError(f"level {step.level:g} is out of range: give a fraction in [0, 1).")
    return method


def takes_level(step: Step) -> bool:
    """Whether a step's method has levels (a `checkpoint` or a quantizer has none)."""
    _class(step.method)  # says so where there is no such method
    return METHODS[step.method].dose is not None


def for_sweep(step: Step) -> Step:
    """The step as a sweep runs it, options that are the default left out, so that one treatment
    has one name. Activations are gathered once, from the uncut model (`inputs=dense`).
    """
    parameters = inspect.signature(_class(step.method)).parameters
    options = dict(step.options)
    if "inputs" in parameters:
        options.setdefault("inputs", "dense")
    kept = {
        name: value
        for name, value in options.items()
        if name not in parameters or value != parameters[name].default
    }
    return step.model_copy(update={"options": kept})


def _class(name: str) -> Callable[..., Method]:
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    module, _, attribute = METHODS[name].where.partition(":")
    found: Callable[..., Method] = getattr(import_module(module), attribute)
    return found
