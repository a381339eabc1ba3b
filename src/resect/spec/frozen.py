"""The base of every part of a request: frozen, no unknown fields, one sentence per mistake."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from resect.errors import RequestError, unknown


class Frozen(BaseModel):
    """Compared and hashed by value; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """Build from plain values; a mistake raises a one-sentence `RequestError`."""
        try:
            return cls(**fields)
        except ValidationError as error:
            mistakes = error.errors()
            for mistake in mistakes:  # a misspelt field also explains a missing one
                if mistake["type"] == "extra_forbidden" and len(mistake["loc"]) == 1:
                    raise unknown("field", str(mistake["loc"][0]), cls.model_fields) from None
            first = mistakes[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            at = f" at {where}" if where else ""
            raise RequestError(f"the {cls.__name__.lower()} is not valid{at}: {what}.") from None
