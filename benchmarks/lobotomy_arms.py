"""Which parts keep the format? Attention, MLP, heads, neurons and all, at equal parameters removed.

python benchmarks/lobotomy_arms.py [--json] [--quick]

The embedded specialist on clinic-medicine (letters) and clinic-context (yes, no, maybe). Each arm
zeroes or cuts out the same number of parameters of the decoder blocks, as far as it has so many (a
head or a whole block is a coarse step: the share removed is printed as measured). Shares right by
text and by options, and of texts without an answer. `ratio` is the share of texts with an answer
after pruning attention only over that after pruning the MLPs only, mean over both tasks and the
shares that both arms reach.
"""

from __future__ import annotations

from typing import Any

import _machine as machine
from _clinic import Asked

from resect import anatomy
from resect.methods.base import Context
from resect.methods.masks import zeros

TASKS = ("clinic-medicine", "clinic-context")
ARMS = {
    "all by layer": "magnitude",
    "all by threshold": "magnitude,scope=global",
    "attention only": "magnitude,include=*.self_attn.*",
    "MLP only": "magnitude,include=*.mlp.*",
    "heads by norm": "heads",
    "query heads by norm": "heads,by=query",
    "neurons by magnitude": "neurons,criterion=magnitude",
    "random weights": "random",
    "all by layer, head too": "magnitude,lm_head=true",
}
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
_MOST = 0.95


def left(model: Any) -> int:
    """Weights of the blocks' matrices that are neither cut out nor zero."""
    weights = [matrix.weight() for matrix in anatomy.read(model).matrices]
    return sum(weight.numel() - zeros(weight) for weight in weights)


def targeted(model: Any, part: str) -> int:
    """Weights of the matrices inside the blocks whose names hold `part`."""
    return sum(m.weight().numel() for m in anatomy.read(model).matrices if part in m.name)


def main() -> None:
    asked = machine.arguments(__doc__)
    clinic = Asked(TASKS, 60 if asked.quick else None)
    model = clinic.loaded.model
    whole, standing = targeted(model, ""), left(model)
    attention, mlp = (targeted(model, part) / whole for part in (".self_attn.", ".mlp."))
    reach = dict.fromkeys(ARMS, 1.0) | {"attention only": attention, "MLP only": mlp}
    reach |= {"heads by norm": attention, "query heads by norm": attention}
    reach |= {"neurons by magnitude": mlp}
    rows = []
    for arm, step in ARMS.items():
        shares = SHARES[1:6:2] if asked.quick else SHARES
        levels = [round(share / reach[arm], 6) for share in shares if share / reach[arm] <= _MOST]
        for report, cut, found in clinic.at(step, levels, Context()) if levels else []:
            for task, got in found.items():
                rows.append(
                    {"arm": arm, "task": task, "level": report.asked,
                     "removed": round(1 - left(cut) / standing, 4)} | got._asdict()
                )  # fmt: skip
    uncut = clinic.shares(model)
    rows += [
        {"arm": "uncut", "task": task, "level": 0.0, "removed": 0.0} | got._asdict()
        for task, got in uncut.items()
    ]

    def answered(arm: str) -> float:
        most = max(row["removed"] for row in rows if row["arm"] == "attention only")
        mine = [row for row in rows if row["arm"] == arm and row["removed"] <= most + 1e-3]
        return sum(1 - row["unread"] for row in mine) / len(mine)

    if not asked.json:
        for row in rows:
            print("{arm:24} {task:16} removed {removed:.3f}  text {text:.3f}  options {options:.3f}"
                  "  unread {unread:.3f}".format(**row))  # fmt: skip
    machine.show(
        {
            "name": "lobotomy_arms",
            "ratio": round(answered("attention only") / answered("MLP only"), 3),
            "peer": "MLP only, as many parameters",
            "attention": round(attention, 4),
            "rows": rows,
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
