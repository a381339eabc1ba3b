"""Measurements as findings: memory and speed of equal shapes shared, ratios to the intact model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from resect.findings.choice import Size, Sizes, intact_in
from resect.findings.frame import Level, clean_level
from resect.findings.plain_data import plain
from resect.findings.rows import CurvePoint, Measurement, PickedBy
from resect.record import TRANSFORMERS

Recorded = Mapping[str, Any]
"""One state as it was measured: a row of JSON in the store."""

_TAKEN = ("peak_memory", "tokens_per_second", "workload")
_SPREADS = (
    "tokens_per_second", "prefill_tokens_per_second", "time_to_first_token", "seconds_per_answer",
)  # fmt: skip


def of_measurements(recorded: Sequence[Recorded]) -> list[Measurement]:
    """Every measured state; the baseline is level 0.

    Memory and speed that were not taken at a state are those of a state of the same shape.
    """
    taken = {
        (row["model"], row.get("shape")): {key: row.get(key) for key in _TAKEN}
        for row in reversed(recorded)
        if row.get("workload")
    }
    rows = []
    for row in recorded:
        shared = {} if row.get("workload") else taken.get((row["model"], row.get("shape")), {})
        rows.append(_measurement(plain({**row, **shared})))
    intact = {(row.model, row.runtime): _numbers(row) for row in rows if row.recipe == "none"}
    return [
        replace(row, ratios=_ratios(row, intact.get((row.model, row.runtime), {}))) for row in rows
    ]


def _measurement(row: Recorded) -> Measurement:
    """One state without its ratios."""
    return Measurement(
        model=row["model"],
        role=row["role"],
        recipe=row["recipe"],
        runtime=row.get("runtime") or TRANSFORMERS,
        seed=row["seed"],
        level=clean_level(row["recipe"], row.get("level")),
        measured_level=row.get("measured_level"),
        parameters=row.get("parameters"),
        zeros=row.get("zeros"),
        bytes_on_disk=row.get("bytes_on_disk"),
        bytes_in_memory=row.get("bytes_in_memory"),
        peak_memory=row.get("peak_memory"),
        tokens_per_second=row.get("tokens_per_second"),
        bits_per_weight=row.get("bits_per_weight"),
        parts=row.get("parts"),
        workload=row.get("workload"),
        ratios={},
        digest=row.get("digest"),
    )


def _ratios(row: Measurement, intact: Mapping[str, float]) -> dict[str, float]:
    """The numbers of a state over those of the intact model, where both are known."""
    return {name: value / intact[name] for name, value in _numbers(row).items() if intact.get(name)}


def _numbers(row: Measurement) -> dict[str, float]:
    """What is compared with the intact model, where it was measured."""
    work = row.workload or {}
    numbers = {
        "parameters": row.parameters,
        "bytes_on_disk": row.bytes_on_disk,
        "bytes_in_memory": row.bytes_in_memory,
        **{name: (work.get(name) or {}).get("median") for name in _SPREADS},
        **{name: work.get(name) for name in ("flops_per_token", "joules_per_answer")},
    }
    if work.get("peak_memory") is not None and work.get("idle_memory") is not None:
        numbers["peak_memory"] = work["peak_memory"] - work["idle_memory"]
    return {name: float(value) for name, value in numbers.items() if value is not None}


def sizes_of(measured: Sequence[Measurement]) -> Sizes:
    """Measured bytes by model, recipe and level: on disk where all have it, else in memory.

    Of several seeds the largest.
    """
    counts = {
        PickedBy.DISK: [row.bytes_on_disk for row in measured],
        PickedBy.MEMORY: [row.bytes_in_memory for row in measured],
    }
    for by, column in counts.items():
        known = [size for size in column if size is not None]
        if known and len(known) == len(measured):
            rising = sorted(zip(known, measured, strict=True), key=lambda entry: entry[0])
            return {(r.model, _named(r), r.level): Size(by, float(size)) for size, r in rising}
    return {}


def _named(row: Measurement) -> str:
    """A recipe; the intact model with its runtime where it was not loaded as it is."""
    return intact_in(row.runtime) if row.recipe == "none" else row.recipe


def with_measured_levels(
    curves: Sequence[CurvePoint], measured: Sequence[Measurement]
) -> list[CurvePoint]:
    """The points with the measured level beside the asked one; every seed has one baseline."""
    table = {_state(row): row.measured_level for row in measured}
    return [replace(row, measured_level=table.get(_state(row))) for row in curves]


def _state(row: CurvePoint | Measurement) -> tuple[str, str, int, Level, str]:
    """Which state of a model a row is about."""
    if row.level == 0.0:
        return row.model, "none", 0, 0.0, row.runtime
    return row.model, row.recipe, row.seed, row.level, row.runtime
