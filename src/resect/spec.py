"""What is asked for: a study of models, treatments, levels and tasks. Frozen, validated, hashed.

`Study.load` and `Study.dump` read and write study YAML. Knows nobody but `errors` and `record`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from resect.errors import RequestError
from resect.record import digest

Scalar = str | int | float | bool


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """From plain values; a mistake is one `RequestError` sentence."""
        try:
            return cls(**fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            at = f" at {where}" if where else ""
            raise RequestError(f"the {cls.__name__.lower()} is wrong{at}: {what}.") from None


# ── levels ──────────────────────────────────────────────────────────────────────────────────────


def level(value: Any) -> float:
    """An exact decimal level as the nearest float: 0.15, never 0.15000000000000002."""
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise RequestError(f"level {value!r} is not a number: give a decimal like 0.5.") from None
    if not number.is_finite() or number < 0:
        raise RequestError(f"level {value} is out of range: give a fraction removed in [0, 1).")
    return float(round(number, 6))


def levels(value: str | float | Iterable[Any]) -> tuple[float, ...]:
    """Levels from `start:stop:step` (stop included), a comma list, a number or a sequence.

    They must rise strictly: a course walks them in that order.
    """
    if isinstance(value, str) and ":" in value:
        parts = value.split(":")
        if len(parts) != 3:
            raise RequestError(f"levels {value!r}: give start:stop:step, like 0:0.95:0.05.")
        start, stop, step = (Decimal(str(level(part))) for part in parts)
        if step <= 0:
            raise RequestError(f"levels {value!r}: the step must be above 0.")
        if (stop - start) / step > 10_000:
            raise RequestError(f"levels {value!r}: more than 10,000 levels, take a larger step.")
        found = tuple(level(start + step * i) for i in range(int((stop - start) / step) + 1))
    elif isinstance(value, str):
        found = tuple(level(part) for part in value.split(","))
    elif isinstance(value, Iterable):
        found = tuple(level(part) for part in value)
    else:
        found = (level(value),)
    if any(b <= a for a, b in pairwise(found)) or not found:
        raise RequestError(
            f"levels {value!r} do not rise: list them from the lowest to the highest."
        )
    return found


# ── steps and treatments ────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?", re.I)
_STEP = re.compile(r"(?P<method>[A-Za-z][\w-]*)(?::(?P<level>[^,\s]+))?(?P<options>(?:,[^,]+)*)")


def _scalar(text: str) -> Scalar:
    """An option's value: true, false or a number where it reads as one (2:4 stays text)."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


class Step(_Frozen):
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
            key, found, value = part.partition("=")
            if not found:
                raise RequestError(f"step {text!r}: {part!r} is no key=value.")
            options[key.strip().replace("-", "_")] = _scalar(value)
        dose = match["level"] or None
        if dose and not _NUMBER.fullmatch(dose):  # a model, as in checkpoint:ORG/NAME
            options["id"], dose = dose, None
        return cls.of(method=match["method"], level=dose, options=options)

    def __str__(self) -> str:
        named = {k: v for k, v in self.options.items() if k != "id"}
        dose = self.options.get("id", "" if self.level is None else f"{self.level:g}")
        whole = f"{self.method}:{dose}" if dose != "" else self.method
        return whole + "".join(f",{k}={named[k]}" for k in sorted(named))


class Treatment(_Frozen):
    """Steps in order. With `levels`, the first step without a level is the swept one.

    `roles`: the models that are treated so, all where none is named.
    """

    steps: tuple[Step, ...] = ()
    levels: tuple[float, ...] = ()
    roles: tuple[str, ...] = ()

    @field_validator("steps", mode="before")
    @classmethod
    def _read_steps(cls, value: Any) -> Any:
        value = [value] if isinstance(value, Step) else value
        if isinstance(value, str):
            value = [part for part in value.split(" + ") if part.strip() != "none"]
        if isinstance(value, list | tuple):
            return tuple(Step.parse(part) if isinstance(part, str) else part for part in value)
        raise ValueError("steps must be a text like magnitude, or a list of them")

    @field_validator("levels", mode="before")
    @classmethod
    def _read_levels(cls, value: Any) -> tuple[float, ...]:
        return () if value is None or value == () or value == [] else levels(value)

    @property
    def name(self) -> str:
        """The canonical text, the swept level left out; `none` for the baseline."""
        return " + ".join(str(step) for step in self.steps) or "none"

    @property
    def free(self) -> bool:
        """Whether a step has neither a level nor a pattern that fixes it."""
        return self._open() is not None

    @property
    def swept(self) -> int | None:
        """Index of the swept step, None where nothing is swept."""
        return self._open() if self.levels else None

    def _open(self) -> int | None:
        for number, step in enumerate(self.steps):
            if step.level is None and "pattern" not in step.options:
                return number
        return None

    def doses(self, number: int) -> tuple[float, ...]:
        """The levels above 0 that step `number` is brought to."""
        if number == self.swept:
            return tuple(level for level in self.levels if level)
        level = self.steps[number].level
        return () if not level else (level,)

    def treats(self, role: str) -> bool:
        """Whether the model of this role is treated so."""
        return not self.roles or role in self.roles

    def at(self, dose: float | None) -> tuple[Step, ...]:
        """The steps with the swept one at `dose`; at 0 it does nothing and is left out."""
        if self.swept is None or dose is None:
            return self.steps
        before, after = self.steps[: self.swept], self.steps[self.swept + 1 :]
        if dose == 0:
            return before + after
        return (*before, self.steps[self.swept].model_copy(update={"level": dose}), *after)


BASELINE = Treatment()


# ── models and the study ────────────────────────────────────────────────────────────────────────

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Measure = Literal["sizes", "shapes", "full"]
"""Memory and speed: not at all, once for each shape of the model, or at every level."""


class ModelRef(_Frozen):
    """A model directory or hub id; `role` is `specialist`, `base` or any other name."""

    role: str
    id: str
    revision: str | None = None
    dtype: Dtype = "auto"
    trust_remote_code: bool = False

    @property
    def name(self) -> str:
        """The id without its folder, as tables show it; `clinic-base` for `clinic:base`."""
        return self.id.rstrip("/").rsplit("/", 1)[-1].replace(":", "-")


class Calibration(_Frozen):
    """Text whose activations a method may look at: `nsamples` windows of `seqlen` tokens.

    `data` is `clinic`, `task:NAME` (a task's training texts), a .txt or .jsonl[.gz] file (field
    `text`), `c4`, or a hub dataset.
    """

    data: str
    nsamples: int = Field(default=128, ge=1)
    seqlen: int = Field(default=2048, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**31)


class Study(_Frozen):
    """One declared question: models x treatments x levels x tasks.

    `models` maps a role to a hub id, a directory or a full reference. `limit` keeps the first N
    items of every task, None all; `num_fewshot`, `apply_chat_template`, `system_instruction` and
    `max_new_tokens` say how every task is asked (see `resect.tasks.Source`); `batch_tokens` bounds
    the padded tokens of a batch (None: what suits the device). `margin` is the largest loss of
    accuracy that the safe level allows (None: each task's own), `alpha` its one-sided error.
    `measure` says of which states memory and speed are measured.
    """

    name: str = "study"
    models: Mapping[str, ModelRef]
    treatments: tuple[Treatment, ...]
    tasks: tuple[str, ...]
    limit: int | None = Field(default=None, ge=1)
    num_fewshot: int | None = Field(default=None, ge=0)
    apply_chat_template: bool = False
    system_instruction: str | None = None
    max_new_tokens: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    batch_tokens: int | None = Field(default=None, ge=1)
    data_dir: str | None = None
    calibration: Calibration | None = None
    measure: Measure = "shapes"
    device: str = "auto"
    resamples: int = Field(default=2000, ge=100, le=100_000)
    margin: float | None = Field(default=None, gt=0, lt=1)
    alpha: float = Field(default=0.025, gt=0, lt=0.5)
    notes: str = ""

    @property
    def data_path(self) -> Path | None:
        """Where tasks find their offline files."""
        return Path(self.data_dir).expanduser() if self.data_dir else None

    @field_validator("models", mode="before")
    @classmethod
    def _read_models(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not value:
            raise ValueError("models must map a role (specialist, base, ...) to a model")
        found = {}
        for role, ref in value.items():
            ref = {"id": ref} if isinstance(ref, str) else ref
            found[role] = {**ref, "role": role} if isinstance(ref, Mapping) else ref
        return found

    @field_validator("tasks", mode="before")
    @classmethod
    def _read_tasks(cls, value: Any) -> Any:
        found = value.split(",") if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
            raise ValueError("tasks must be a list of names")
        if not found:
            raise ValueError("tasks is empty, name at least one")
        if len(set(found)) != len(found):
            raise ValueError("a task is named twice")
        return found

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w .+-]{0,99}", value):
            raise ValueError("a name has letters, digits, blanks, points and dashes")
        return value

    @model_validator(mode="before")
    @classmethod
    def _spread_levels(cls, value: Any) -> Any:
        """`levels` at the top of a study serves every treatment that names none of its own."""
        if not isinstance(value, Mapping) or "treatments" not in value:
            return value
        shared, value = value.get("levels"), {k: v for k, v in value.items() if k != "levels"}
        listed = value["treatments"]
        listed = [listed] if isinstance(listed, str | Mapping) else listed
        if not isinstance(listed, list | tuple):
            raise ValueError("treatments must be a list of steps, like [magnitude]")
        found = []
        for entry in listed:
            if isinstance(entry, Treatment):
                found.append(entry)
                continue
            if not isinstance(entry, str | list | tuple | Mapping):
                raise ValueError(f"treatment {entry!r} must be a text like magnitude, or a list")
            fields = dict(entry) if isinstance(entry, Mapping) else {"steps": entry}
            treatment = Treatment.of(**fields)
            if "levels" not in fields and shared is not None and treatment.free:
                treatment = treatment.model_copy(update={"levels": levels(shared)})
            found.append(treatment)
        return {**value, "treatments": tuple(found)}

    @model_validator(mode="after")
    def _roles_are_there(self) -> Self:
        named = {role for treatment in self.treatments for role in treatment.roles}
        if named - set(self.models):
            raise ValueError(f"no model has the role {sorted(named - set(self.models))[0]}")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Study:
        """Read a study YAML file; model directories and `data_dir` are relative to the caller."""
        try:
            fields = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RequestError(f"no study file at {path}: give the path of a YAML file.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"the study file {path} cannot be read: {error}.") from None
        except yaml.YAMLError as error:
            where = " ".join(str(error).split())
            raise RequestError(f"the study file {path} is not valid YAML: {where}.") from None
        if not isinstance(fields, dict):
            raise RequestError(f"the study file {path} holds no study: see studies/ for examples.")
        fields.pop("resolved", None)
        return cls.of(**{str(name): value for name, value in fields.items()})

    def dump(self, resolved: Mapping[str, Any] | None = None) -> str:
        """The study as YAML that `load` reads back; `resolved` adds revisions and versions."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        fields["models"] = {
            role: {k: v for k, v in ref.items() if k != "role"}
            for role, ref in fields["models"].items()
        }
        fields["treatments"] = [
            {
                "steps": [str(step) for step in t.steps],
                "levels": list(t.levels),
                **({"roles": list(t.roles)} if t.roles else {}),
            }
            for t in self.treatments
        ]
        if resolved:
            fields["resolved"] = dict(resolved)
        return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


# ── identity ────────────────────────────────────────────────────────────────────────────────────


class StateSpec(_Frozen):
    """A model as it stands when it is asked: which weights, what was done to them, how it runs."""

    model: str
    steps: tuple[str, ...]
    seed: int | None
    calibration: str | None
    sources: tuple[str, ...]
    dtype: str
    device: str
    versions: Mapping[str, str]

    @property
    def id(self) -> str:
        """Name of the (damaged) model."""
        return digest(self.model_dump())


class CellSpec(_Frozen):
    """One model x treatment x level x task, with all that can change its numbers.

    `asking` leaves the item set and the task's name out: another task or a larger limit that
    asks the same item of the same model in the same way finds the answer there.
    """

    state: StateSpec
    task: str
    protocol: Mapping[str, Any]
    items: tuple[str, ...]

    @property
    def asking(self) -> str:
        """Key of the answers, shared by all cells that ask this state under this protocol."""
        return digest([self.state.id, dict(self.protocol)])

    @property
    def id(self) -> str:
        """The cell's own name."""
        return digest([self.asking, self.task, list(self.items)])
