"""Who is the specialist and who the base: as the data says, as was asked, else by known parents."""

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
    said: dict[str, str | None] = {}
    for row in rows:
        known = said.setdefault(row.model, row.role)
        if known != row.role:
            raise RequestError(
                f"{row.source}: {row.model} has two roles, {known} and {row.role}: give it one."
            )
    chosen: dict[str, str] = {}
    for role, name in asked.items():
        if name is None:
            continue
        model = next((m for m in said if name in (m, ids.get(m))), None)
        if model is None:
            raise unknown("model", name, said)
        if model in chosen:
            raise RequestError(
                f"{model} cannot be both {chosen[model]} and {role}: name two models."
            )
        chosen[model] = role
        said = {m: None if known == role else known for m, known in said.items()}
        said[model] = role
    if len(said) == 2:
        said = _completed(said, ids)
    named = {model: role or model for model, role in said.items()}
    for role in PAIR:
        several = [model for model, other in named.items() if other == role]
        if len(several) > 1:
            raise RequestError(
                f"{' and '.join(several)} are all called {role}: name one with --{role}, or audit "
                "them apart."
            )
    place = {role: i for i, role in enumerate(PAIR)}
    return dict(sorted(named.items(), key=lambda pair: place.get(pair[1], len(PAIR))))


def _completed(said: Mapping[str, str | None], ids: Mapping[str, str]) -> dict[str, str | None]:
    """Of two models one of which has a role, the other has the other role."""
    found = dict(said)
    if not any(found.values()):
        children = [m for m in found if parents.parent_of(ids.get(m, m))]
        if len(children) == 1:
            found[children[0]] = "specialist"
    for one, other in (tuple(found), tuple(found)[::-1]):
        if found[one] in PAIR and found[other] is None:
            found[other] = PAIR[1 - PAIR.index(str(found[one]))]
    return found


def control(role_of: Mapping[str, str], ids: Mapping[str, str]) -> list[str]:
    """The warning that the base is not the specialist's parent, where that is known."""
    named = {role: model for model, role in role_of.items()}
    if not all(role in named for role in PAIR):
        return []
    specialist, base = (named[role] for role in PAIR)
    parent = parents.parent_of(ids.get(specialist, specialist))
    warning = parents.control_warning(specialist, parent, base, ids.get(base, base))
    return [f"{warning}."] if warning else []
