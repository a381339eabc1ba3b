"""A gate for releases: what a run must show before a version of a model may be published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from resect.findings.rows import Candidate, Choice, GuardrailKind, Summary, SweepVerdict, Word


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is asked of the version that was chosen; a policy file names the fields that differ.

    `margin`: the most that any task may have been tested with. `alpha`: the largest one-sided
    error. `tasks` that must have passed; `items`: the fewest that a task was tested on. `rise`: the
    most that any guardrail's estimate may have risen by, whatever its cap. `share`: the most that
    the version may be of the intact model's bytes. `fallbacks`: whether cells may have fallen back.
    """

    margin: float = 0.05
    alpha: float = 0.025
    tasks: tuple[str, ...] = ()
    items: int = 100
    rise: float = 0.15
    share: float = 1.0
    fallbacks: bool = False


class Condition(NamedTuple):
    """One line of the gate: its name, whether it holds, and what was found."""

    name: str
    holds: bool
    text: str


def conditions(summary: Summary, policy: Policy) -> list[Condition]:
    """Every condition of a policy for the first choice of a run."""
    row = next(iter(summary.choice), None)
    if row is None or row.chosen is None:
        return [Condition("passed", False, "no version of the run passed")]
    return list(_of(summary, row, row.chosen, policy))


def _of(summary: Summary, row: Choice, chosen: Candidate, policy: Policy) -> Iterator[Condition]:
    yield Condition("passed", chosen.word is Word.PASSED, f"{chosen.recipe}: {chosen.word.value}")
    passed = {test.task for test in chosen.tasks if test.word is Word.PASSED}
    missing = [name for name in policy.tasks if name not in passed]
    told = (
        f"did not pass: {', '.join(missing)}" if missing else f"passed: {', '.join(sorted(passed))}"
    )
    yield Condition("tasks", not missing, told)
    margin = max((test.margin or 0.0 for test in chosen.tasks), default=1.0)
    told = f"largest {100 * margin:.3g} points, allowed {100 * policy.margin:.3g}"
    yield Condition("margin", margin <= policy.margin + 1e-12, told)
    told = f"{chosen.alpha:.3g}, allowed {policy.alpha:.3g}"
    yield Condition("alpha", chosen.alpha <= policy.alpha + 1e-12, told)
    fewest = min((test.n for test in chosen.tasks), default=0)
    yield Condition("items", fewest >= policy.items, f"fewest {fewest}, asked for {policy.items}")
    yield _rise(summary, row, chosen, policy)
    yield _share(row, chosen, policy)
    if not policy.fallbacks:
        count = len(row.degraded)
        yield Condition("fallbacks", not count, f"{count} cells fell back")


def _rise(summary: Summary, row: Choice, chosen: Candidate, policy: Policy) -> Condition:
    sweeps: list[SweepVerdict] = [
        v
        for v in summary.verdicts
        if v.default and (v.model, v.recipe) == (row.model, chosen.recipe)
    ]
    guards = [guard for sweep in sweeps for guard in sweep.guardrails
              if guard.level == chosen.level and guard.kind is not GuardrailKind.FLIPS]  # fmt: skip
    worst = max(guards, key=lambda guard: guard.rise, default=None)
    if worst is None:
        return Condition("guardrails", True, "none had enough items")
    of = f" ({worst.of})" if worst.of else ""
    return Condition(
        "guardrails", worst.rise <= policy.rise and not worst.tripped,
        f"worst {worst.kind.value}{of} of {worst.task}: {100 * worst.rise:+.3g} points, "
        f"allowed {100 * policy.rise:.3g}",
    )  # fmt: skip


def _share(row: Choice, chosen: Candidate, policy: Policy) -> Condition:
    if not chosen.bytes or not row.baseline_bytes:
        return Condition("size", policy.share >= 1, "bytes were not measured")
    share = chosen.bytes / row.baseline_bytes
    told = f"{100 * share:.3g} % of the intact model, allowed {100 * policy.share:.3g} %"
    return Condition("size", share <= policy.share + 1e-12, told)
