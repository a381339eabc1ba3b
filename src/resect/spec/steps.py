"""Levels, steps and recipes: what is done to a model, as text and as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from pydantic import Field, field_validator

from resect.errors import RequestError, unknown
from resect.record import GGUF_BITS, LLAMA_CPP, TRANSFORMERS, bits_in_words
from resect.spec.frozen import Frozen
from resect.spec.method_table import BITS, entry_of

Scalar = str | int | float | bool

_HIGHEST = 10**6
"""The highest level: fractions are below 1, bits below 100; of a method from elsewhere, unknown."""

_MOST_SEEDS = 1000


# ── levels ──────────────────────────────────────────────────────────────────────────────────────


def level(value: Any) -> float:
    """An exact decimal level as the nearest float: 0.15, never 0.15000000000000002.

    The name of a GGUF type is the level that it stands for.
    """
    if isinstance(value, int) and value > _HIGHEST:  # thousands of digits cannot be written
        raise RequestError(
            "a level is out of range: give the fraction to remove, from 0 to below 1."
        )
    text = str(value).strip()
    if text.upper() in GGUF_BITS:
        return GGUF_BITS[text.upper()]
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise RequestError(
            f"level {value!r:.60} is not a number: give a decimal like 0.5."
        ) from None
    if not number.is_finite() or not 0 <= number <= _HIGHEST:
        raise RequestError(
            f"level {value!s:.60} is out of range: give the fraction to remove, from 0 to below 1."
        )
    if number and not round(number, 6):
        raise RequestError(f"level {value} is too small: use at most six decimals.")
    return float(round(number, 6))


def levels(value: str | float | Iterable[Any]) -> tuple[float, ...]:
    """Levels from `start:stop:step` (stop included), a comma list, a number or a sequence.

    They must rise strictly, bits per weight fall: a sweep walks them in that order.
    """
    numbers = _listed_levels(value)
    _check_one_unit(numbers)
    _check_order(numbers, value)
    return numbers


def _listed_levels(value: str | float | Iterable[Any]) -> tuple[float, ...]:
    """The levels in the order in which they are given."""
    if isinstance(value, str):
        return _level_range(value) if ":" in value else tuple(map(level, value.split(",")))
    return tuple(map(level, value)) if isinstance(value, Iterable) else (level(value),)


def _level_range(text: str) -> tuple[float, ...]:
    """The levels of `start:stop:step`."""
    parts = text.split(":")
    if len(parts) != 3:
        raise RequestError(
            f"levels {text!r} cannot be read: write start:stop:step, like 0:0.95:0.05."
        )
    start, stop, step = (Decimal(str(level(part))) for part in parts)
    if step <= 0:
        raise RequestError(f"levels {text!r}: the step must be greater than 0.")
    if (stop - start) / step > 10_000:
        raise RequestError(f"levels {text!r} are more than 10,000: use a larger step.")
    return tuple(level(start + step * i) for i in range(int((stop - start) / step) + 1))


def _check_one_unit(numbers: Sequence[float]) -> None:
    """Refuse fractions removed beside bits per weight."""
    beyond = [x for x in numbers if x >= 1]
    if beyond and any(0 < x < 1 for x in numbers):
        raise RequestError(
            f"level {beyond[0]:g} is out of range: give fractions to remove, from 0 to below 1, or "
            "bits per weight."
        )


def _check_order(numbers: tuple[float, ...], value: Any) -> None:
    """Refuse no levels at all, and fractions that do not rise or bits that do not fall."""
    bits = numbers[-1:] >= (1.0,)
    in_order = (a > b if bits and a else a < b for a, b in pairwise(numbers))
    if not all(in_order) or not numbers:
        how = (
            "fall: list bits from most to fewest"
            if bits
            else ("increase: list them from lowest to highest")
        )
        raise RequestError(f"levels {value!r} do not {how}, each once.")


# ── steps and recipes ────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?", re.I)
_STEP = re.compile(r"(?P<method>[A-Za-z][\w-]*)(?::(?P<level>[^,\s]+))?(?P<options>(?:,[^,]+)*)")


def _scalar(text: str) -> Scalar:
    """An option's value: true, false or a number where it reads as one (2:4 stays text)."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def written(value: Scalar) -> str:
    """An option's value as `_scalar` reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def at_methods(text: str, sign: str) -> list[str]:
    """The text cut at a sign: where a method's name follows, or blanks stand on both sides.

    So `nodes:0.1+bnb-nf4` is two steps and `magnitude,wanda` two recipes, but `wanda,scope=row` is
    one; a sign within a file's name stays.
    """
    parts: list[str] = []
    for part in re.split(rf"(?<=\s)[{sign}](?=\s)|[{sign}](?=\s*[A-Za-z])", text):
        name = re.match(r"\s*([A-Za-z][\w-]*)\s*(?=[:,+]|$)", part)
        spaced = part[:1].isspace() and bool(parts) and parts[-1][-1:].isspace()
        if parts and not spaced and not (name and entry_of(name[1])):
            parts[-1] += sign + part
        else:
            parts.append(part)
    return parts


class Step(Frozen):
    """One method with its level (None where it is swept, or has none) and options."""

    method: str
    level: float | None = None
    options: Mapping[str, Scalar] = Field(default_factory=dict)

    @field_validator("level", mode="before")
    @classmethod
    def _read_level(cls, value: Any) -> float | None:
        return None if value is None else level(value)

    @classmethod
    def parse(cls, text: str) -> Step:
        """Read `method[:level][,key=value]...`."""
        match = _STEP.fullmatch(text.strip())
        if not match:
            raise RequestError(
                f"step {text!r} cannot be read: write method[:level][,key=value], "
                "like magnitude:0.5,scope=layer."
            )
        options: dict[str, Scalar] = {}
        for part in filter(None, match["options"].split(",")):
            key, equals, value = part.partition("=")
            if not equals:
                raise RequestError(f"step {text!r}: {part!r} is not key=value.")
            options[key.strip().replace("-", "_")] = _scalar(value)
        dose = match["level"] or None
        entry = entry_of(match["method"])
        if entry is not None and entry.dose == BITS:
            if dose and dose.upper() not in GGUF_BITS:
                raise unknown("GGUF type", dose, GGUF_BITS)
        elif dose and not _NUMBER.fullmatch(dose):  # a model, as in checkpoint:ORG/NAME
            options["id"], dose = dose, None
        return cls.of(method=match["method"], level=dose, options=options)

    @property
    def open(self) -> bool:
        """Whether its method has a level, and neither the step nor a pattern fixes it."""
        entry = entry_of(self.method)  # an unknown name is refused where it is looked up
        dosed = entry is None or entry.dose is not None
        return dosed and self.level is None and "pattern" not in self.options

    def __str__(self) -> str:
        named = {k: v for k, v in self.options.items() if k != "id"}
        dose = self.options.get("id", "" if self.level is None else _dose(self.method, self.level))
        whole = f"{self.method}:{dose}" if dose != "" else self.method
        return whole + "".join(f",{k}={written(named[k])}" for k in sorted(named))


def _dose(method: str, dose: float) -> str:
    """A level as a step is written with it: a GGUF type by its name."""
    entry = entry_of(method)
    return bits_in_words(dose) if entry is not None and entry.dose == BITS else f"{dose:g}"


class Recipe(Frozen):
    """Steps in order. With `levels`, the first step whose level is open is the swept one.

    `roles`: the models that are treated so, all where none is named. `seed`: that of random steps,
    the study's where it is None; study YAML may say `seeds: 5` for the same under 0 to 4.
    """

    steps: tuple[Step, ...] = ()
    levels: tuple[float, ...] = ()
    roles: tuple[str, ...] = ()
    seed: int | None = Field(default=None, ge=0, lt=2**31)

    @field_validator("steps", mode="before")
    @classmethod
    def _read_steps(cls, value: Any) -> Any:
        value = [value] if isinstance(value, Step) else value
        if isinstance(value, str):
            value = [part for part in at_methods(value, "+") if part.strip() != "none"]
        if isinstance(value, list | tuple):
            return tuple(Step.parse(part) if isinstance(part, str) else part for part in value)
        raise ValueError("steps must be text like magnitude, or a list of steps")

    @field_validator("levels", mode="before")
    @classmethod
    def _read_levels(cls, value: Any) -> tuple[float, ...]:
        return () if value is None or value == () or value == [] else levels(value)

    @property
    def name(self) -> str:
        """The canonical text, the swept level left out; `none` for the baseline."""
        return " + ".join(str(step) for step in self.steps) or "none"

    @property
    def key(self) -> str:
        """The name, and the seed where it has one of its own."""
        return self.name if self.seed is None else f"{self.name} with seed {self.seed}"

    @property
    def free(self) -> bool:
        """Whether a step is left to sweep."""
        return any(step.open for step in self.steps)

    @property
    def in_bits(self) -> bool:
        """Whether the levels of the step that is left to sweep are bits per weight."""
        entry = next((entry_of(step.method) for step in self.steps if step.open), None)
        return entry is not None and entry.dose == BITS

    @property
    def swept(self) -> int | None:
        """Index of the swept step, or None."""
        if not self.levels:
            return None
        return next((number for number, step in enumerate(self.steps) if step.open), None)

    @property
    def level_of(self) -> str | None:
        """What its level is a fraction of (`targeted weights`), None where that is not known."""
        step = next((step for step in self.steps if step.open), None)
        entry = None if step is None else entry_of(step.method)
        return None if entry is None else entry.part

    @property
    def runtime(self) -> str:
        """Where the result is asked: the last step says so."""
        entry = entry_of(self.steps[-1].method) if self.steps else None
        return TRANSFORMERS if entry is None else entry.runtime

    def serve(self, place: str) -> str:
        """The command that starts a server with what is written to `place`, or nothing."""
        entry = entry_of(self.steps[-1].method) if self.steps else None
        return "" if entry is None else entry.serve.format(place)

    def doses(self, number: int) -> tuple[float, ...]:
        """The levels above 0 that step `number` is brought to."""
        if number == self.swept:
            return tuple(level for level in self.levels if level)
        level = self.steps[number].level
        return () if not level else (level,)

    def applies_to(self, role: str) -> bool:
        """Whether the model of this role is treated so."""
        return not self.roles or role in self.roles

    def seeded(self, seeds: Any) -> list[Recipe]:
        """The same once for each of these seeds, or for 0 to N - 1."""
        numbers = range(seeds) if type(seeds) is int and seeds > 0 else seeds
        if not isinstance(numbers, range | list | tuple):
            raise RequestError(
                f"seeds {seeds!r:.60} cannot be read: give a number of seeds, or a list like "
                "[0, 1, 2]."
            )
        if len(numbers[: _MOST_SEEDS + 1]) > _MOST_SEEDS:
            raise RequestError(f"a recipe has more than {_MOST_SEEDS:,} seeds: give fewer.")
        return [Recipe.of(**{**self.model_dump(), "seed": seed}) for seed in numbers]

    def at(self, dose: float | None) -> tuple[Step, ...]:
        """The steps with the swept one at `dose`; at 0 it does nothing and is left out."""
        if self.swept is None or dose is None:
            return self.steps
        before, after = self.steps[: self.swept], self.steps[self.swept + 1 :]
        if dose == 0:
            return before + after
        return (*before, self.steps[self.swept].model_copy(update={"level": dose}), *after)


GGUF_SWEEP = levels("Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q3_K_M,Q2_K")
"""The types that a sweep goes through where none are named."""

BASELINE = Recipe()
INTACT = {TRANSFORMERS: BASELINE, LLAMA_CPP: Recipe.of(steps="gguf:F16")}
"""What brings the intact model into a runtime, where it is the baseline of what is asked there."""
