"""The file of a probe: what a model loses when one of its parts is damaged alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from resect.errors import RequestError

_LEAST = 1e-12  # nats of KL below which parts are alike
_FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Part(BaseModel):
    """One part damaged alone: `name` is a block or a module directly in it, of `weights` weights.

    `kl`: mean KL(intact | damaged) over the tokens, nats. `flips`: share of the tokens whose
    likeliest next token is another one.
    """

    model_config = _FROZEN

    name: str
    block: int
    weights: Annotated[int, Field(gt=0)]
    kl: Annotated[float, Field(ge=0)]
    flips: Annotated[float, Field(ge=0, le=1)]


class Probe(BaseModel):
    """A probe: of which model, by which damage, on how many tokens of which text."""

    model_config = _FROZEN

    resect: str
    model: str
    fingerprint: str
    damage: str
    text: str
    tokens: int
    parts: tuple[Part, ...]

    def costs(self, names: Iterable[str], blocks: Mapping[str, str]) -> dict[str, float]:
        """ln(KL per weight) of the smallest measured part that each matrix lies in.

        `blocks` are the names of the matrices' blocks. Raises `RequestError` for a matrix in none.
        """
        known = {part.name: math.log(max(part.kl, _LEAST) / part.weights) for part in self.parts}
        costs = {}
        for name in names:
            around = [part for part in known if name.startswith(f"{part}.")]
            if not around:
                raise RequestError(
                    f"the probe of {self.model} has no part with {name} ({blocks[name]}): probe "
                    "the model that is to be pruned."
                )
            costs[name] = known[max(around, key=len)]
        return costs


def read(path: str) -> Probe:
    """The probe in a file; raises `RequestError` where it is missing or is none."""
    try:
        return Probe.model_validate_json(_bytes(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise RequestError(
            f"{path} is no probe ({place}: {first['msg']}): make one with resect probe MODEL --out "
            "FILE."
        ) from None


def fingerprint(path: str) -> str:
    """Hash of a probe's file; raises `RequestError` where it is missing."""
    return "sha256:" + hashlib.sha256(_bytes(path)).hexdigest()


def _bytes(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise RequestError(
            f"the probe {path} cannot be read ({type(error).__name__}): make one with resect probe "
            "MODEL --out FILE."
        ) from None
