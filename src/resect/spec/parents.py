"""Which model a specialist was tuned from: by its card, or by a small table of known parents.

Comparing a specialist with a model that is not its parent mixes the effect of domain tuning with
other differences (instruction tuning, another version).
"""

from __future__ import annotations

PARENTS = {
    "BioMistral/BioMistral-7B": "mistralai/Mistral-7B-Instruct-v0.1",
    "epfl-llm/meditron-7b": "meta-llama/Llama-2-7b",
    "epfl-llm/meditron-70b": "meta-llama/Llama-2-70b",
    "aaditya/Llama3-OpenBioLLM-8B": "meta-llama/Meta-Llama-3-8B",
}
"""Hub id of a specialist to the base model that its card names."""

HUB_IDS = {"smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""Models that resect knows by a name of its own, by their hub ids."""


def parent_of(model: str, card: str | None = None) -> str | None:
    """The parent of a model (hub id, folder or short name): what its card says, else the table."""
    if card:
        return card
    return next((p for child, p in PARENTS.items() if short(child) == short(model)), None)


def control_warning(name: str, parent: str | None, control: str, shown: str) -> str | None:
    """One sentence where `control` (printed as `shown`) is not the parent of `name`, else None."""
    if not parent or short(parent) == short(HUB_IDS.get(control, control)):
        return None
    return (
        f"the control is not the parent: the base model of {name} is {parent}, the study compares "
        f"it with {shown}"
    )


def short(model: str) -> str:
    """A model's name without owner or folder."""
    return model.rstrip("/").rsplit("/", 1)[-1]
