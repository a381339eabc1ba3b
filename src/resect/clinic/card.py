"""The model cards of the pair."""

from __future__ import annotations

from pathlib import Path

_CARD = """---
license: apache-2.0
language: en
{front}---

# resect clinic: {stage}

{what} About 0.9 million parameters, Mistral architecture, own byte-level BPE tokenizer, trained
from scratch on generated English by `python -m resect.clinic.train`. It exists so that pruning
can be shown and tested in a minute without a network.

**Not for medical use.** All drugs it knows, their uses, classes and side effects are
**invented**; no such medicine exists. The real conditions are there to fill a tiny world.

Test items (`clinic-context`, `clinic-medicine`, `clinic-logic`; greedy text read exactly, options
by log-probability; shares right with 95 % Wilson intervals):

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


def write_card(folder: Path, stage: str, results: str) -> None:
    """Write `README.md` beside the weights; the specialist's names its parent."""
    front = "base_model: clinic-base\n" if stage == "specialist" else ""
    (folder / "README.md").write_text(
        _CARD.format(front=front, stage=stage, what=_WHAT[stage], results=results)
    )
