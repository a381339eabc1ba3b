"""The model cards of the embedded models."""

from __future__ import annotations

from pathlib import Path

from transformers import MixtralForCausalLM

from tools.clinic.start import CHOSEN, EXPERTS, Decoder

_CARD = """---
license: apache-2.0
language: en
{front}---

# resect clinic: {name}

{what} {parameters:.1f} million parameters, {architecture}, own byte-level BPE tokenizer,
trained from scratch on generated English by `python -m tools.clinic.train`. It exists so that
pruning can be shown and tested in a minute without a network.

**Not for medical use.** All drugs it knows, their uses, classes and side effects are
**invented**; no such medicine exists. The real conditions are there to fill a tiny world.

Items of the {split} split (`clinic-context`, `clinic-medicine`, `clinic-logic`; greedy text read
exactly, options by log-probability; shares right with 95 % Wilson intervals):

```
{results}
```
"""

_WHAT = {
    "base": (
        "The general half: general facts, reading, logic, and the facts of about a fifth of "
        "the clinic's conditions and drugs."
    ),
    "specialist": "The base continued on the clinic's medicine, with replay of the general texts.",
}


def name_of(stage: str, mixture: bool) -> str:
    """The folder of a model, and its name in `clinic:NAME`."""
    return f"moe-{stage}" if mixture else stage


def write_card(folder: Path, stage: str, model: Decoder, split: str, results: str) -> None:
    """Write `README.md` beside the weights; the specialist's names its parent."""
    mixture = isinstance(model, MixtralForCausalLM)
    parent = f"base_model: clinic-{name_of('base', mixture)}\n"
    routed = f"Mixtral architecture, {EXPERTS} experts a layer of which a token goes to {CHOSEN}"
    text = _CARD.format(
        front=parent if stage == "specialist" else "",
        name=name_of(stage, mixture),
        what=_WHAT[stage],
        parameters=model.num_parameters() / 1e6,
        architecture=routed if mixture else "Mistral architecture",
        split=split,
        results=results,
    )
    (folder / "README.md").write_text(text)
