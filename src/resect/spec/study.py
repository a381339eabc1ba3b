"""A study of models, recipes, levels and tasks, and the YAML file that declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, field_validator, model_validator

from resect.errors import RequestError
from resect.spec import yaml_text
from resect.spec.frozen import Frozen
from resect.spec.steps import GGUF_SWEEP, Recipe, levels

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
KvType = Literal["f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]
"""Types of a llama.cpp server's cache."""
Measure = Literal["sizes", "shapes", "full"]
"""When to measure memory and speed: never, once for each model shape, or at every level."""


_MOST_TOKENS = 1 << 26
"""Tokens of a calibration at most: papers take a quarter of a million."""

_MOST_SWEEPS = 10_000
"""Recipes of a study at most, each seed counted."""


class ModelRef(Frozen):
    """A model directory, a hub id, or the address of a server that serves it as `served`.

    `role` is `specialist`, `base` or any other name.
    """

    role: str
    id: str
    revision: str | None = None
    dtype: Dtype = "auto"
    trust_remote_code: bool = False
    served: str | None = None

    @property
    def name(self) -> str:
        """The id without its folder, as tables show it; `clinic-base` for `clinic:base`."""
        if self.served:
            return self.served
        return self.id.rstrip("/").rsplit("/", 1)[-1].replace(":", "-")


class Calibration(Frozen):
    """Text whose activations a method may look at: `nsamples` windows of `seqlen` tokens.

    `data` is `wikitext2`, `c4`, `task:NAME` (a task's training texts), `clinic`, a .txt or
    .jsonl[.gz] file (field `text`), or a hub dataset; empty is the training texts of the study's
    tasks, else `wikitext2`.
    """

    data: str = ""
    nsamples: int = Field(default=128, ge=1)
    seqlen: int = Field(default=2048, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _can_be_held(self) -> Self:
        if self.nsamples * self.seqlen > _MOST_TOKENS:
            raise ValueError(
                f"nsamples x seqlen is more than {_MOST_TOKENS:,} tokens: lower one of them"
            )
        return self


class Runtime(Frozen):
    """How a server runs that resect starts: the type of its cache, and the context of a slot.

    `n_ctx` None is as much as the longest prompt and its answer need.
    """

    kv: KvType = "f16"
    n_ctx: int | None = Field(default=None, ge=8)

    def options(self) -> tuple[str, ...]:
        """What is not as usual, as part of a cell's name."""
        changed = self.model_dump(exclude_defaults=True)
        return tuple(f"{name}={value}" for name, value in sorted(changed.items()))


class Study(Frozen):
    """One declared question: models x recipes x levels x tasks.

    `models` maps a role to a hub id, a directory or a full reference. How tasks are asked is what
    `resect.tasks.Source` says; `batch_tokens` None is what suits the device.
    """

    name: str = "study"
    models: Mapping[str, ModelRef]
    recipes: tuple[Recipe, ...]
    tasks: tuple[str, ...]
    limit: int | None = Field(
        default=None, ge=1, lt=2**31, description="Ask the first N items of every task."
    )
    num_fewshot: int | None = Field(
        default=None, ge=0, lt=2**31, description="Worked examples before each question."
    )
    apply_chat_template: bool | Literal["auto"] = Field(
        default=False,
        description="Ask in the models' own chat format: on, off, or auto (on where all have one).",
    )
    system_instruction: str | None = Field(
        default=None, description="Text placed before every prompt."
    )
    max_new_tokens: int | None = Field(
        default=None,
        ge=1,
        lt=2**31,
        description="Longest answer in tokens; default: set by each task.",
    )
    variants: tuple[str, ...] = Field(
        default=(),
        description="Also ask label questions in these variants: permuted,swapped,unsure.",
    )
    seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed for random methods and intervals."
    )
    batch_tokens: int | None = Field(
        default=None,
        ge=1,
        lt=2**31,
        description="Tokens in a batch, padding included; default: automatic.",
    )
    data_dir: str | None = Field(
        default=None, description="Folder of offline task files; default: the hub."
    )
    calibration: Calibration | None = None
    runtime: Runtime = Field(
        default=Runtime(), description="How a llama.cpp server runs: kv and n_ctx."
    )
    measure: Measure = Field(
        default="shapes",
        description="Measure memory and speed never (sizes), once for each model shape (shapes), "
        "or at every level (full).",
    )
    device: str = Field(
        default="auto", description="auto, cpu, cuda, cuda:N, or spread (over all GPUs)."
    )
    resamples: int = Field(
        default=2000,
        ge=100,
        le=100_000,
        description="Number of bootstrap resamples; default: 2000.",
    )
    margin: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Largest loss that still passes, like 0.05; default: set by each task.",
    )
    alpha: float = Field(
        default=0.025,
        gt=0,
        lt=0.5,
        description="One-sided error rate of the verdict; default: 0.025.",
    )
    retain: float = Field(
        default=0.8,
        ge=0,
        lt=1,
        description="Share of the intact model's skill that must stay; default 0.8.",
    )
    shown_only: tuple[str, ...] = Field(
        default=(), description="Tasks that are shown and do not count in the verdict."
    )
    sequential: bool = Field(
        default=False,
        description="Ask each level in looks and stop a task, a level or a sweep once it is "
        "decided.",
    )
    choose: bool = Field(
        default=False,
        description="Recipes are versions, the smallest first: asked in turn, in looks, until one "
        "passes on the items held back.",
    )
    min_speed: float | None = Field(
        default=None,
        gt=0,
        description="Tokens a second that a version must write to be chosen.",
    )
    notes: str = ""

    @property
    def asks_in_looks(self) -> bool:
        """Whether no more is asked than what is looked for needs."""
        return self.sequential or self.choose

    def seed_of(self, recipe: Recipe) -> int:
        """The seed of a recipe's random steps: its own, or the study's."""
        return self.seed if recipe.seed is None else recipe.seed

    @property
    def data_path(self) -> Path | None:
        """Where tasks find their offline files."""
        return Path(self.data_dir).expanduser() if self.data_dir else None

    @field_validator("models", mode="before")
    @classmethod
    def _read_models(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not value:
            raise ValueError("models must map a role (specialist, base, ...) to a model")
        models = {}
        for role, ref in value.items():
            ref = {"id": ref} if isinstance(ref, str) else ref
            models[role] = {**ref, "role": role} if isinstance(ref, Mapping) else ref
        return models

    @field_validator("tasks", mode="before")
    @classmethod
    def _read_tasks(cls, value: Any) -> Any:
        tasks = value.split(",") if isinstance(value, str) else value
        if not isinstance(tasks, list | tuple) or not all(isinstance(name, str) for name in tasks):
            raise ValueError("tasks must be a list of names")
        if not tasks:
            raise ValueError("tasks is empty: name at least one task")
        if len(set(tasks)) != len(tasks):
            raise ValueError("a task is listed twice")
        return tasks

    @field_validator("apply_chat_template", mode="before")
    @classmethod
    def _read_switch(cls, value: Any) -> Any:
        words = {"on": True, "true": True, "off": False, "false": False}
        return words.get(value.lower(), value) if isinstance(value, str) else value

    @field_validator("variants", mode="before")
    @classmethod
    def _read_variants(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _is_a_folder_name(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w .+-]{0,99}", value):
            raise ValueError("a name may have letters, digits, spaces, dots, dashes and plus signs")
        return value

    @model_validator(mode="before")
    @classmethod
    def _spread_levels(cls, value: Any) -> Any:
        """`levels` at the top of a study serves every recipe that names none of its own."""
        if not isinstance(value, Mapping) or "recipes" not in value:
            return value
        shared, value = value.get("levels"), {k: v for k, v in value.items() if k != "levels"}
        listed = value["recipes"]
        listed = [listed] if isinstance(listed, str | Mapping) else listed
        if not isinstance(listed, list | tuple):
            raise ValueError("recipes must be a list of steps, like [magnitude]")
        recipes: list[Recipe] = []
        for entry in listed:
            recipes += _read_recipe(entry, shared)
            if len(recipes) > _MOST_SWEEPS:
                raise ValueError(f"there are more than {_MOST_SWEEPS:,} recipes: give fewer")
        return {**value, "recipes": tuple(recipes)}

    @model_validator(mode="after")
    def _roles_are_there(self) -> Self:
        named = {role for recipe in self.recipes for role in recipe.roles}
        if named - set(self.models):
            raise ValueError(f"no model has the role {min(named - set(self.models))}")
        return self

    @classmethod
    def load(cls, path: str | Path, smoke: bool = False) -> Study:
        """Read a study YAML file; model directories and `data_dir` are relative to the caller.

        `smoke` is its small version: the fields of its section `smoke` stand in for its own.
        """
        try:
            with Path(path).open("rb") as file:  # a device or a disk image is never read whole
                text = file.read(yaml_text.LARGEST + 1).decode("utf-8")
        except FileNotFoundError:
            raise RequestError(f"no study file at {path}: give the path of a YAML file.") from None
        except (OSError, ValueError) as error:
            raise RequestError(f"the study file {path} cannot be read: {error}.") from None
        fields = yaml_text.load(text, f"the study file {path}")
        if not isinstance(fields, dict):
            raise RequestError(
                f"the study file {path} does not describe a study: see studies/ for examples."
            )
        if "treatments" in fields:
            raise RequestError(
                f"the study file {path} has the old key `treatments`: rename it to `recipes`."
            )
        fields.pop("resolved", None)
        small = fields.pop("smoke", None)
        if smoke:
            fields = _smaller(fields, small, path)
        return cls.of(**{str(name): value for name, value in fields.items()})

    def dump(self, resolved: Mapping[str, Any] | None = None) -> str:
        """The study as YAML that `load` reads back; `resolved` adds revisions and versions."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        fields["models"] = {
            role: {k: v for k, v in ref.items() if k != "role"}
            for role, ref in fields["models"].items()
        }
        fields["recipes"] = [
            {
                "steps": [str(step) for step in t.steps],
                "levels": list(t.levels),
                **({"roles": list(t.roles)} if t.roles else {}),
                **({} if t.seed is None else {"seed": t.seed}),
            }
            for t in self.recipes
        ]
        if resolved:
            fields["resolved"] = dict(resolved)
        return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def _read_recipe(entry: Any, shared: Any) -> list[Recipe]:
    """A recipe as it is declared, one for each of its seeds; `shared` are the study's levels."""
    if isinstance(entry, Recipe):
        return [entry]
    if not isinstance(entry, str | list | tuple | Mapping):
        raise ValueError(f"recipe {entry!r} must be text like magnitude, or a list of steps")
    given = entry if isinstance(entry, Mapping) else {"steps": entry}
    fields = {str(name): part for name, part in given.items()}
    seeds = fields.pop("seeds", None)
    recipe = Recipe.of(**fields)
    if "levels" not in fields and recipe.free:
        recipe = recipe.model_copy(update={"levels": _levels_of(recipe, shared)})
    return [recipe] if seeds is None else list(recipe.seeded(seeds))


def _levels_of(recipe: Recipe, shared: Any) -> tuple[float, ...]:
    """What a recipe without levels of its own is swept through: the study's, where they fit."""
    given = () if shared is None else levels(shared)
    if recipe.in_bits and not given[-1:] >= (1.0,):
        return GGUF_SWEEP
    return given


def _smaller(fields: Mapping[str, Any], small: Any, path: str | Path) -> dict[str, Any]:
    """A study's fields with those of its smoke section.

    `levels` there stand in for all that the study sweeps, wherever it says so.
    """
    if not isinstance(small, Mapping):
        raise RequestError(f"the study file {path} has no `smoke` section: run it without --smoke.")
    smaller = {**fields, **small, "name": f"{fields.get('name', 'study')}-smoke"}
    recipes = fields.get("recipes")
    if "levels" in small and "recipes" not in small and isinstance(recipes, list):
        smaller["recipes"] = [
            {**recipe, "levels": small["levels"]}
            if isinstance(recipe, Mapping) and "levels" in recipe
            else recipe
            for recipe in recipes
        ]
        if "levels" not in fields:
            del smaller["levels"]
    return smaller
