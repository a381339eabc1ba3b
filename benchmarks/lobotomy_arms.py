"""Which parts keep the format? Attention, MLP, heads, neurons and all, at equal parameters removed.

python benchmarks/lobotomy_arms.py [--json] [--quick]

The embedded specialist on clinic-medicine (letters) and clinic-context (yes, no, maybe). Each arm
zeroes or cuts out the same shares of the parameters in the decoder blocks, as far as it has so many
(a head or a block is a coarse step: the share removed is printed as measured, and the output matrix
of the arm with lm_head comes on top). Skill, share right, share of texts in form (they begin with a
label) and without an answer. `ratio` is the mean share of texts in form after pruning attention
only, over that after pruning the MLPs only, at the shares that attention can give.
"""

from __future__ import annotations

import _machine as machine
from _clinic import Row, by_text, shown, summary

from resect import anatomy
from resect.models import loading
from resect.spec import ModelRef

TASKS = ("clinic-medicine", "clinic-context")
ARMS = {
    "all by layer": ("magnitude", ""),
    "all by threshold": ("magnitude,scope=global", ""),
    "all by layer, lm_head too": ("magnitude,lm_head=true", ""),
    "all by threshold, lm_head too": ("magnitude,lm_head=true,scope=global", ""),
    "random weights": ("random", ""),
    "attention only": ("magnitude,include=*.self_attn.*", ".self_attn."),
    "MLP only": ("magnitude,include=*.mlp.*", ".mlp."),
    "heads by norm": ("heads,criterion=norm", ".self_attn."),
    "neurons by magnitude": ("neurons,criterion=magnitude", ".mlp."),
    "blocks by influence": ("blocks", ""),
}
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
_MOST = 0.95


def reach() -> dict[str, float]:
    """Share of the weights in the blocks' matrices that are in the parts of a name."""
    model = loading.load(ModelRef(role="specialist", id="clinic:specialist"), "cpu").model
    sizes = {one.name: one.weight().numel() for one in anatomy.read(model).matrices}
    return {
        part: sum(size for name, size in sizes.items() if part in name) / sum(sizes.values())
        for _, part in ARMS.values()
    }


def main() -> None:
    asked = machine.arguments(__doc__)
    share_of, shares = reach(), SHARES[1:6:2] if asked.quick else SHARES
    recipes = [
        {"steps": step, "levels": [0, *(round(s / share_of[part], 6) for s in shares
                                         if s <= _MOST * share_of[part])]}
        for step, part in ARMS.values()
    ]  # fmt: skip
    found = summary("lobotomy-arms", recipes, TASKS, 60 if asked.quick else None)
    left = {(row["recipe"], row["level"]): standing(row) for row in found["measurements"]}
    whole = left["none", 0.0]
    rows = [
        shown(row) | {"arm": arm, "removed": round(1 - left[step, row["level"]] / whole, 4)}
        for arm, (step, _) in ARMS.items()
        for row in by_text(found, "curves")
        if row["recipe"] == step and row["level"]
    ]
    if not asked.json:
        for row in rows:
            print("{arm:30} {task:16} removed {removed:.3f}  skill {skill:.3f}  "
                  "right {accuracy:.3f}  in form {in_form:.3f}  no answer {no_answer:.3f}"
                  .format(**row))  # fmt: skip
    machine.show(
        {
            "name": "lobotomy_arms",
            "ratio": round(in_form(rows, "attention only") / in_form(rows, "MLP only"), 3),
            "peer": "MLP only, as many parameters",
            "shares": share_of,
            "rows": rows if asked.json else len(rows),
        },
        asked.json,
    )


def standing(row: Row) -> int:
    """Weights of the blocks that are neither cut out nor zero."""
    return round(row["parts"]["matrices"] * 8 / row["bits_per_weight"]) - int(row["zeros"])


def in_form(rows: list[Row], arm: str) -> float:
    """Mean share of texts in form, at the shares that attention can give."""
    most = max(row["removed"] for row in rows if row["arm"] == "attention only")
    mine = [row for row in rows if row["arm"] == arm and row["removed"] <= most + 1e-3]
    return sum(row["in_form"] for row in mine) / len(mine)


if __name__ == "__main__":
    main()
