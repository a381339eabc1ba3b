"""Which model is the specialist and which the base: as the data says, as asked, or by parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resect.errors import RequestError, unknown
from resect.recorded.row import Recorded
from resect.spec import parents

PAIR = ("specialist", "base")


def roles(
    rows: Sequence[Recorded], ids: Mapping[str, str], asked: Mapping[str, str | None]
) -> dict[str, str]:
    """Model name to role, specialist and base first; a model without a role is its own.

    `asked` maps a role to a model's name or id. Raises `RequestError` for a name nobody has.
    """
    role_of = _asked_for(_stated(rows), ids, asked)
    if len(role_of) == 2:
        role_of = _completed(role_of, ids)
    named = {model: role or model for model, role in role_of.items()}
    for role in PAIR:
        several = [model for model, other in named.items() if other == role]
        if len(several) > 1:
            raise RequestError(
                f"{' and '.join(several)} are all called {role}: name one with --{role}, or audit "
                "them separately."
            )
    place = {role: i for i, role in enumerate(PAIR)}
    return dict(sorted(named.items(), key=lambda pair: place.get(pair[1], len(PAIR))))


def _stated(rows: Sequence[Recorded]) -> dict[str, str | None]:
    """The role of each model as the rows say it."""
    role_of: dict[str, str | None] = {}
    for row in rows:
        known = role_of.setdefault(row.model, row.role)
        if known != row.role:
            raise RequestError(
                f"{row.source}: {row.model} has two roles, {known} and {row.role}: give it one."
            )
    return role_of


def _asked_for(
    role_of: dict[str, str | None], ids: Mapping[str, str], asked: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The roles with those that were asked for, each taken from the model that had it."""
    given: dict[str, str] = {}
    for role, name in asked.items():
        if name is None:
            continue
        model = next((m for m in role_of if name in (m, ids.get(m))), None)
        if model is None:
            raise unknown("model", name, role_of)
        if model in given:
            raise RequestError(
                f"{model} cannot be both {given[model]} and {role}: name two models."
            )
        given[model] = role
        role_of = {m: None if known == role else known for m, known in role_of.items()}
        role_of[model] = role
    return role_of


def _completed(stated: Mapping[str, str | None], ids: Mapping[str, str]) -> dict[str, str | None]:
    """Of two models one of which has a role, the other has the other role."""
    role_of = dict(stated)
    if not any(role_of.values()):
        children = [m for m in role_of if parents.parent_of(ids.get(m, m))]
        if len(children) == 1:
            role_of[children[0]] = "specialist"
    for model, other in (tuple(role_of), tuple(role_of)[::-1]):
        if role_of[model] in PAIR and role_of[other] is None:
            role_of[other] = PAIR[1 - PAIR.index(str(role_of[model]))]
    return role_of


def control(role_of: Mapping[str, str], ids: Mapping[str, str]) -> list[str]:
    """The warning that the base is not the specialist's parent, where that is known."""
    named = {role: model for model, role in role_of.items()}
    if not all(role in named for role in PAIR):
        return []
    specialist, base = (named[role] for role in PAIR)
    parent = parents.parent_of(ids.get(specialist, specialist))
    warning = parents.control_warning(specialist, parent, base, ids.get(base, base))
    return [f"{warning}."] if warning else []
