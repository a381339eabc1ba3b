"""The methods that a step can name: one table, what each does and what its level counts.

A request is read by it (a step whose method has no level cannot be swept); `resect.methods` finds
the classes. Installed packages add theirs through the entry point group `resect.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from resect import plugins
from resect.errors import RequestError

GROUP = "resect.methods"


class Entry(NamedTuple):
    """Where a method is and what it does.

    `dose` is what its level counts, None without one; `part` what that level is a fraction of, in
    the words of a sentence, None where it is no fraction.
    """

    where: str
    summary: str
    dose: str | None
    part: str | None = None


METHODS: dict[str, Entry] = {
    "magnitude": Entry(
        "resect.methods.weights.magnitude:Magnitude",
        "smallest |w| to zero, by layer, row or over the whole model",
        "fraction of the weights",
        "targeted weights",
    ),
    "wanda": Entry(
        "resect.methods.weights.wanda:Wanda",
        "smallest |w| x input norm of every output row to zero",
        "fraction of the weights",
        "targeted weights",
    ),
    "sparsegpt": Entry(
        "resect.methods.weights.sparsegpt:SparseGpt",
        "second-order pruning, the kept weights updated to make up for it",
        "fraction of the weights",
        "targeted weights",
    ),
    "ria": Entry(
        "resect.methods.weights.ria:Ria",
        "smallest relative importance x input norm to zero",
        "fraction of the weights",
        "targeted weights",
    ),
    "random": Entry(
        "resect.methods.weights.random:Random",
        "weights to zero at random, the control",
        "fraction of the weights",
        "targeted weights",
    ),
    "experts": Entry(
        "resect.methods.parts.experts:Experts",
        "routed experts of a mixture cut out, by what they add; the model gets smaller",
        "fraction of the experts",
        "experts",
    ),
    "bnb-int8": Entry(
        "resect.methods.packed.bnb:Int8",
        "8 bits by bitsandbytes (LLM.int8)",
        None,
    ),
    "bnb-nf4": Entry(
        "resect.methods.packed.bnb:Nf4",
        "4 bits by bitsandbytes (normal floats)",
        None,
    ),
    "torchao-int8": Entry(
        "resect.methods.packed.torchao:Int8",
        "8 bits by torchao, weights only",
        None,
    ),
    "torchao-int4": Entry(
        "resect.methods.packed.torchao:Int4",
        "4 bits by torchao, weights only, where the machine has kernels",
        None,
    ),
    "gguf": Entry(
        "resect.deploy.gguf_step:Gguf",
        "one file for llama.cpp and Ollama, like gguf:Q4_K_M, asked in llama.cpp",
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
        "tune back with adapters that learn from the intact model",
        None,
    ),
    "checkpoint": Entry(
        "resect.methods.packed.checkpoint:Checkpoint",
        "somebody else's compressed model in place of this one",
        None,
    ),
    "neurons": Entry(
        "resect.methods.parts.neurons:Neurons",
        "MLP neurons cut out, the least task-specific first, reverse, by size or at random",
        "fraction of the neurons",
        "neurons",
    ),
    "nodes": Entry(
        "resect.methods.parts.neurons:Nodes",
        "nodes:0.2 cuts the 20 % of MLP neurons with the smallest weights out of every layer",
        "fraction of the neurons",
        "neurons",
    ),
    "heads": Entry(
        "resect.methods.parts.heads:Heads",
        "attention heads cut out, in whole groups or evenly from every group",
        "fraction of the heads",
        "attention heads",
    ),
    "blocks": Entry(
        "resect.methods.parts.blocks:Blocks",
        "whole decoder blocks cut out, the least influential first or at random",
        "fraction of the blocks",
        "decoder blocks",
    ),
}


def entry_of(name: str) -> Entry | None:
    """The entry of a method, None for an unknown name."""
    return METHODS.get(name) or installed().get(name)


def every_method() -> Mapping[str, Entry]:
    """The methods of the table, then those of installed packages."""
    return {**METHODS, **installed()}


@cache
def installed() -> Mapping[str, Entry]:
    """The methods of installed packages; each entry point names an `Entry`.

    Raises `RequestError` where one cannot be loaded, is no `Entry`, or takes a name of the table.
    """
    entries = {}
    for name, point in plugins.points(GROUP, METHODS).items():
        entry = plugins.load(point)
        if not isinstance(entry, Entry):
            raise RequestError(
                f"the entry point of the method {name} must name a resect.spec.Entry, not "
                f"{point.value}."
            )
        entries[name] = entry
    return entries
