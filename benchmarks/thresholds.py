"""Twenty exact magnitude thresholds of a 4096 x 14336 matrix, against a sort at every level.

python benchmarks/thresholds.py [--json] [--quick]

The peer is what the published pruning study did: at every level, sort all magnitudes of the
matrix and take the value at index int(n x level). `ratio` is for the thresholds alone; with the
masks applied it is `ratio_with_masks`. Global scope: one histogram over the shapes of a 7B model,
made one tensor at a time, so that no two are held.
"""

from __future__ import annotations

from collections.abc import Iterator

import _machine as machine
import torch

from resect.methods.masks import Cutting, cuts, removed

LEVELS = [round(0.05 * step, 2) for step in range(20)]
SEVEN_B = [(4096, 4096), (1024, 4096), (1024, 4096), (4096, 4096)] + [(14336, 4096)] * 2
SEVEN_B += [(4096, 14336)]  # q, k, v, o, gate, up, down of Mistral-7B


def sort_thresholds(weight: torch.Tensor, levels: list[float]) -> list[torch.Tensor]:
    return [torch.sort(weight.abs().flatten()).values[int(weight.numel() * s)] for s in levels]


def sort_and_mask(weight: torch.Tensor, levels: list[float]) -> None:
    for level, threshold in zip(levels, sort_thresholds(weight, levels), strict=True):
        if level:
            weight.masked_fill_(weight.abs() < threshold, 0)


def ours(weight: torch.Tensor) -> list:
    return cuts(lambda: [weight], [removed(weight.numel(), level) for level in LEVELS])


def ours_and_mask(weight: torch.Tensor) -> None:
    for cut in ours(weight):
        Cutting(cut).zero_(weight)


def seven_b(blocks: int) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(blocks):
        for shape in SEVEN_B:
            yield torch.randn(shape, generator=generator, dtype=torch.float32).bfloat16()


def main() -> None:
    asked = machine.arguments(__doc__)
    torch.manual_seed(0)
    weight = (torch.randn(4096, 14336) * 0.02).bfloat16()
    # The peer's time is the same at every level; --quick sorts at two and multiplies.
    part = LEVELS[::10] if asked.quick else LEVELS
    scale = len(LEVELS) / len(part)
    fast = machine.seconds(lambda: ours(weight))
    slow = machine.seconds(lambda: sort_thresholds(weight, part), 1) * scale
    masked = machine.seconds(lambda: ours_and_mask(weight.clone()), 1)
    slow_masked = machine.seconds(lambda: sort_and_mask(weight.clone(), part), 1) * scale
    blocks = 1 if asked.quick else 8
    made = machine.seconds(lambda: [None for _ in seven_b(blocks)], 1)
    total = blocks * sum(rows * columns for rows, columns in SEVEN_B)
    counts = [removed(total, level) for level in LEVELS]
    globally = machine.seconds(lambda: cuts(lambda: seven_b(blocks), counts), 1) - made
    machine.show(
        {
            "name": "thresholds",
            "ratio": round(slow / fast, 1),
            "ratio_with_masks": round(slow_masked / masked, 1),
            "peer": "torch.sort at every level, as the published study",
            "seconds": round(fast, 3),
            "peer_seconds": round(slow, 2),
            "seconds_with_masks": round(masked, 3),
            "peer_seconds_with_masks": round(slow_masked, 2),
            "global_weights": total,
            "global_seconds": round(globally, 2),
        },
        asked.json,
    )


if __name__ == "__main__":
    main()
