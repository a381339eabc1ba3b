"""The table of methods: what each does, and what its level counts.

Requests are checked against it (a step whose method has no level cannot be swept), and
`resect.methods` finds the classes in it. Installed packages add methods through the entry point
group `resect.methods`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from resect.errors import RequestError
from resect.record import LLAMA_CPP, TRANSFORMERS
from resect.spec import plugins

GROUP = "resect.methods"


class Entry(NamedTuple):
    """Where a method is and what it does.

    `dose` is what its level counts, None without one; `part` what that level is a fraction of, in
    the words of a sentence, None where it is no fraction; `runtime` where the result is asked;
    `serve` the command that starts a server with the result, empty where it is no deployed version.
    """

    where: str
    summary: str
    dose: str | None
    part: str | None = None
    runtime: str = TRANSFORMERS
    serve: str = ""


def _weights(where: str, summary: str) -> Entry:
    return Entry(f"resect.methods.weights.{where}", summary, "fraction of the weights", TARGETED)


def _parts(where: str, summary: str, dose: str, part: str) -> Entry:
    return Entry(f"resect.methods.parts.{where}", summary, f"fraction of the {dose}", part)


TARGETED = "targeted weights"
BITS = "bits per weight"
METHODS: dict[str, Entry] = {
    "magnitude": _weights(
        "magnitude:Magnitude", "zero the smallest weights, by layer, by row or over the whole model"
    ),
    "wanda": _weights("wanda:Wanda", "zero the smallest |w| x input norm in every output row"),
    "sparsegpt": _weights(
        "sparsegpt:SparseGpt", "second-order pruning; the remaining weights are adjusted"
    ),
    "ria": _weights("ria:Ria", "zero the smallest relative importance x input norm"),
    "random": _weights("random:Random", "zero random weights, as a control"),
    "experts": _parts(
        "experts:Experts",
        "remove routed experts of a mixture by how much they contribute",
        "experts",
        "experts",
    ),
    "bnb-int8": Entry(
        "resect.methods.packed.bnb:Int8",
        "8 bits with bitsandbytes (LLM.int8), for research and QLoRA",
        None,
    ),
    "bnb-nf4": Entry(
        "resect.methods.packed.bnb:Nf4",
        "4 bits with bitsandbytes (normal floats), for research and QLoRA",
        None,
    ),
    "torchao-int8": Entry(
        "resect.methods.packed.torchao:Int8",
        "8 bits with torchao, weights only, for research",
        None,
    ),
    "torchao-int4": Entry(
        "resect.methods.packed.torchao:Int4",
        "4 bits with torchao, weights only, where the machine has kernels, for research",
        None,
    ),
    "gguf": Entry(
        "resect.deploy.gguf_step:Gguf",
        "one file for llama.cpp and Ollama, like gguf:Q4_K_M, asked in llama.cpp",
        BITS,
        runtime=LLAMA_CPP,
        serve="llama-server -m {}",
    ),
    "autoround": Entry(
        "resect.deploy.autoround_step:AutoRound",
        "4-bit weights for vLLM (W4A16, compressed-tensors), rounded by auto-round",
        None,
        serve="vllm serve {}",
    ),
    "lora": Entry(
        "resect.recover.lora:Lora",
        "retrain with low-rank adapters, merged; zeros stay zero (QLoRA over 4 bits)",
        None,
    ),
    "finetune": Entry(
        "resect.recover.finetune:Finetune", "retrain all weights; zeros stay zero", None
    ),
    "distill": Entry(
        "resect.recover.distill:Distill",
        "retrain with adapters that learn from the intact model",
        None,
    ),
    "checkpoint": Entry(
        "resect.methods.packed.checkpoint:Checkpoint",
        "use a model that somebody else compressed instead of this one",
        None,
    ),
    "neurons": _parts(
        "neurons:Neurons",
        "remove MLP neurons that add least to the output or to a task; the rest is refitted",
        "neurons",
        "neurons",
    ),
    "nodes": _parts(
        "neurons:Nodes",
        "remove the MLP neurons with the smallest weights from every layer (nodes:0.2 is 20 %)",
        "neurons",
        "neurons",
    ),
    "heads": _parts(
        "heads:Heads",
        "remove attention heads, whole groups or evenly from each; the rest is refitted",
        "heads",
        "attention heads",
    ),
    "blocks": _parts(
        "blocks:Blocks",
        "remove whole decoder blocks: the least influential first, by loss or at random",
        "blocks",
        "decoder blocks",
    ),
    "hidden": _parts(
        "hidden_width:Hidden",
        "remove hidden channels from every matrix, norm and embedding; train the rest after it",
        "hidden channels",
        "hidden channels",
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
