"""A checked study: every name, file, model and item of a run, found before it writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from resect import methods, tasks
from resect.ask.tokenize import token_starts
from resect.deploy import endpoint
from resect.deploy.deployed import too_small
from resect.errors import RequestError
from resect.findings.primary_test import Rule, is_judged
from resect.findings.summary import MARGIN
from resect.methods import validation as possible
from resect.methods.calibration import calibration_text
from resect.methods.step import Method
from resect.models import devices, loading
from resect.models.loading import Identity
from resect.models.places import check_places
from resect.record import LLAMA_CPP, TRANSFORMERS, Item, TaskInfo
from resect.running.walk import asker, http_asker
from resect.spec import INTACT, ModelRef, Recipe, Study, parents
from resect.tasks import Source, variants


@dataclass(frozen=True)
class Chain:
    """The methods of a recipe, and what identifies their results.

    `random`: whether they use the seed. `calibration` and `sources`: hashes of the texts they read.
    """

    methods: tuple[Method, ...] = ()
    random: bool = False
    calibration: str | None = None
    sources: tuple[str, ...] = ()


UNTOUCHED = Chain()

FEW = 30
"""Items of a task below which its shares say next to nothing."""


@dataclass(frozen=True)
class Resolved:
    """A checked study: what its names stand for, and the place of each model (by role).

    `served` says what serves each model that is asked at an address, its `runtime` first.
    """

    study: Study
    device: str
    names: Mapping[str, str]
    identities: Mapping[str, Identity]
    infos: Mapping[str, TaskInfo]
    items: Mapping[str, tuple[Item, ...]]
    keys: Mapping[str, tuple[str, ...]]
    chains: Mapping[str, Chain]
    places: Mapping[str, str]
    tiny: Mapping[str, bool]
    served: Mapping[str, Mapping[str, Any]]

    @property
    def rules(self) -> dict[str, Rule]:
        """What passes on each task that is judged, by its name."""
        judged = {n: i for n, i in self.infos.items() if is_judged(i, self.study.shown_only)}
        return {name: self.rule_of(info) for name, info in judged.items()}

    def rule_of(self, info: TaskInfo) -> Rule:
        """What passes on a task."""
        rule = Rule(MARGIN, self.study.retain, self.study.alpha)
        return rule.of_task(info, self.study.margin)

    def warnings(self) -> list[str]:
        """Warnings about the study itself: what it cannot show, whatever is answered."""
        return [*self._of_control(), *self._of_few_items()]

    def _of_few_items(self) -> list[str]:
        few = {name: len(own) for name, own in self.items.items() if len(own) < FEW}
        return [
            f"{name} has {count} items: its shares can be off by {100 * _off(count):.0f} points; "
            f"ask at least {FEW}"
            for name, count in few.items()
        ]

    def _of_control(self) -> list[str]:
        specialist, base = self.study.models.get("specialist"), self.study.models.get("base")
        if not specialist or not base:
            return []
        if self.identities["specialist"].fingerprint == self.identities["base"].fingerprint:
            return ["specialist and base are the same model: comparing them shows nothing"]
        parent = parents.parent_of(specialist.id, self.identities["specialist"].parent)
        warning = parents.control_warning(
            self.names["specialist"], parent, self.names["base"], base.id
        )
        return [warning] if warning else []


def resolve(study: Study, trust_remote_code: bool = False) -> Resolved:
    """Check every name and file of a study and load its items. Raises `RequestError`.

    A study can only ask to run code that it brings; `trust_remote_code` is the permission.
    """
    if not trust_remote_code:
        _refuse_code(study)
    study = _in_form(study)
    _check_places(study, trust_remote_code)
    swept = as_swept(study.recipes, study.models)
    study = _with_text(study.model_copy(update={"recipes": swept}))
    chains = {**_intact_chains(study), **_chains(study)}
    device = devices.named(study.device)
    items, infos = _items(study, trust_remote_code)
    identities, places, tiny, served = {}, {}, {}, {}
    for role, ref in study.models.items():
        if endpoint.is_address(ref.id):
            identities[role], served[role] = _served(study, ref, items, infos)
            places[role], tiny[role] = device, True
            continue
        identities[role], loaded = loading.identify(ref, device)
        places[role] = devices.fitting(device, loaded.model)
        tiny[role] = loading.is_tiny(loaded.model)
        own = [recipe for recipe in study.recipes if recipe.applies_to(role)]
        elsewhere = {recipe.runtime for recipe in own}
        for recipe in own:
            parts = chains[recipe.key].methods
            possible.fits(parts, recipe, loaded.model)
            for method in parts:
                for name, asked in items.items():
                    method.apart_from(asked, name)
        for name, asked in items.items():
            asker(loaded, infos[name], asked)  # raises where they do not fit
            if LLAMA_CPP in elsewhere:
                _has_room(study, http_asker(loaded, infos[name], asked).room)
    keys = {name: tuple(item.key for item in asked) for name, asked in items.items()}
    names = _names(study.models)
    return Resolved(
        study, device, names, identities, infos, items, keys, chains, places, tiny, served
    )


def _has_room(study: Study, room: int) -> None:
    """Raise `RequestError` where the study's context is too small for a prompt and its answer."""
    context = study.runtime.n_ctx
    if context is not None and room > context:
        raise RequestError(too_small(context, room))


def _intact_chains(study: Study) -> dict[str, Chain]:
    """What brings intact models into the runtimes of the study's recipes."""
    needed = {recipe.runtime for recipe in study.recipes} - {TRANSFORMERS}
    recipes = [INTACT[runtime] for runtime in sorted(needed)]
    return {r.key: _chain(tuple(possible.check(r, None)), None, study.data_path) for r in recipes}


def _check_places(study: Study, trust_remote_code: bool) -> None:
    """Raise `RequestError` for a path that does not exist, before the hub is asked for anything.

    Then for a model that the hub does not have: a data set there takes longer to be missed.
    """
    if study.data_path is not None and not study.data_path.is_dir():
        raise RequestError(f"there is no folder {study.data_dir}: check --data_dir.")
    calibration_text.check_files(study.calibration)
    for name in study.tasks:
        tasks.get(name, trust_remote_code)
    check_places(ref for ref in study.models.values() if not endpoint.is_address(ref.id))


def _served(
    study: Study,
    ref: ModelRef,
    items: Mapping[str, Sequence[Item]],
    infos: Mapping[str, TaskInfo],
) -> tuple[Identity, dict[str, Any]]:
    """A model that is asked at an address, and what serves it: every prompt must fit."""
    recipe = next((recipe for recipe in study.recipes if recipe.applies_to(ref.role)), None)
    if recipe is not None:
        raise RequestError(
            f"{recipe.name} needs the weights of {ref.id}, which a server does not give: name a "
            "model directory, or leave the recipes out."
        )
    server = endpoint.at(ref.id, ref.served)
    for name, asked in items.items():
        server.connect(server.asker(asked, infos[name]).room)
    return Identity(server.fingerprint, None, server.kind, None), server.facts


def _refuse_code(study: Study) -> None:
    """Raise `RequestError` where a study asks to run code that comes with a model or a task."""
    asking = [f"the model {ref.id}" for ref in study.models.values() if ref.trust_remote_code]
    asking += [f"the task {name}" for name in study.tasks if tasks.runs_code(name)]
    if asking:
        raise RequestError(
            f"the study asks to run code that comes with {' and '.join(asking)}: read that code, "
            "then allow it with --trust_remote_code (in Python trust_remote_code=True)."
        )


def _in_form(study: Study) -> Study:
    """The study with `apply_chat_template` decided: on where all its models have a template."""
    if study.apply_chat_template != "auto":
        return study
    refs = study.models.values()
    chats = all(
        not endpoint.is_address(ref.id) and loading.tokenizer(ref).chat_template for ref in refs
    )
    return study.model_copy(update={"apply_chat_template": chats})


def _with_text(study: Study) -> Study:
    """The study with a calibration text, where its recipes need one and it names none."""
    steps = [step for recipe in study.recipes for step in recipe.steps]
    if not any(methods.make(step).calibrated for step in steps):
        return study
    first = next(iter(study.models.values()))
    text = calibration_text.filled(study.calibration, first, study.tasks, study.data_path)
    return study.model_copy(update={"calibration": text})


def _chains(study: Study) -> dict[str, Chain]:
    """The methods of each recipe; the calibration text is hashed once, if needed."""
    chains: dict[str, Chain] = {}
    text = None
    taken: set[tuple[str, str]] = set()
    for recipe in study.recipes:
        parts = tuple(possible.check(recipe, study.calibration, study.seed_of(recipe)))
        places = {(recipe.key, role) for role in study.models if recipe.applies_to(role)}
        if places & taken:
            raise RequestError(
                f"recipe {recipe.key} is listed twice: put its levels into one entry."
            )
        taken |= places
        needs = any(method.calibrated for method in parts)
        if needs and text is None and study.calibration is not None:
            text = calibration_text.name_of(study.calibration, study.data_path)
        chain = _chain(parts, text if needs else None, study.data_path)
        if recipe.seed is not None and not (chain.random or chain.sources):
            raise RequestError(f"{recipe.name} uses no randomness: remove its seeds.")
        chains[recipe.key] = chain
    return chains


def _chain(parts: tuple[Method, ...], calibration: str | None, data: Path | None) -> Chain:
    sources = tuple(source for method in parts for source in method.sources(data))
    return Chain(parts, any(method.random for method in parts), calibration, sources)


def _items(
    study: Study, trust_remote_code: bool
) -> tuple[dict[str, tuple[Item, ...]], dict[str, TaskInfo]]:
    asked = {name: tasks.get(name, trust_remote_code) for name in study.tasks}
    source = Source(
        data_dir=study.data_path,
        limit=study.limit,
        seed=study.seed,
        num_fewshot=study.num_fewshot,
        apply_chat_template=bool(study.apply_chat_template),
        system_instruction=study.system_instruction,
        max_new_tokens=study.max_new_tokens,
        variants=study.variants,
        token_starts=_token_starts(study),
    )
    variants.check(study.variants)
    items = {name: tuple(task.items(source)) for name, task in asked.items()}
    for name, task_items in items.items():
        if not task_items:
            raise RequestError(f"task {name} has no items: check its data file.")
        if len({item.key for item in task_items}) < len(task_items):
            raise RequestError(f"task {name} has the same item twice: correct its data file.")
    present = {item.variant for task_items in items.values() for item in task_items}
    for name in study.variants:
        if name not in present:
            raise RequestError(
                f"no item of these tasks can be {name}: permuted and unsure need lettered options, "
                f"swapped needs contexts. Choose other tasks, or remove {name} from the variants."
            )
    return items, {name: task.describe(source) for name, task in asked.items()}


def _token_starts(study: Study) -> Callable[[str], list[int]] | None:
    """Where tokens begin, by the tokenizer of the first model that is no server."""
    ref = next((ref for ref in study.models.values() if not endpoint.is_address(ref.id)), None)

    def starts(text: str) -> list[int]:
        assert ref is not None
        return token_starts(loading.tokenizer(ref), text)

    return starts if ref is not None else None


def as_swept(recipes: Sequence[Recipe], models: Mapping[str, ModelRef]) -> tuple[Recipe, ...]:
    """Recipes as they run and are stored, named by their non-default options."""
    return tuple(_without_intact(_stored(recipe, models)) for recipe in recipes)


def _stored(recipe: Recipe, models: Mapping[str, ModelRef]) -> Recipe:
    own = [ref for role, ref in models.items() if recipe.applies_to(role)]
    if methods.needs_blocks(recipe) and own and all(map(_is_wide, own)):
        recipe = methods.in_blocks(recipe)
    steps = tuple(methods.for_sweep(step) for step in recipe.steps)
    return recipe.model_copy(update={"steps": steps})


_WIDE = 4 * methods.BLOCK


def _is_wide(ref: ModelRef) -> bool:
    return not endpoint.is_address(ref.id) and is_wide(loading.check(ref).model)


def is_wide(model: PreTrainedModel) -> bool:
    """Whether an MLP has enough blocks of a file to be cut in these."""
    return int(getattr(model.config.get_text_config(), "intermediate_size", 0)) >= _WIDE


def _without_intact(recipe: Recipe) -> Recipe:
    """A sweep without the level that is its runtime's baseline: F16 of a model that is not cut."""
    first, *others = recipe.levels or (None,)
    if not first or not others or "kv" in recipe.steps[0].options:
        return recipe
    same = recipe.at(first)[0].model_copy(update={"options": {}})
    is_intact = len(recipe.steps) == 1 and (same,) == INTACT[recipe.runtime].steps
    return recipe.model_copy(update={"levels": tuple(others)}) if is_intact else recipe


def _names(refs: Mapping[str, ModelRef]) -> dict[str, str]:
    """Short names of the models; longer where two would have the same name."""
    short = [ref.name for ref in refs.values()]
    return {
        role: ref.name if short.count(ref.name) == 1 else f"{ref.name} ({role})"
        for role, ref in refs.items()
    }


def _off(items: int) -> float:
    """Half of the widest 95 % interval of a share of so many items."""
    return min(0.98 / math.sqrt(items), 0.5)
