"""What every part of a request is: frozen, without unknown fields, wrong in one sentence."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from resect.errors import RequestError, unknown


class Frozen(BaseModel):
    """Compared and hashed by value; a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """From plain values; a mistake is one `RequestError` sentence."""
        try:
            return cls(**fields)
        except ValidationError as error:
            found = error.errors()
            for one in found:  # a slip of the pen explains what is missing
                if one["type"] == "extra_forbidden" and len(one["loc"]) == 1:
                    raise unknown("field", str(one["loc"][0]), cls.model_fields) from None
            first = found[0]
            where = ".".join(str(part) for part in first["loc"])
            what = first["msg"].removeprefix("Value error, ")
            at = f" at {where}" if where else ""
            raise RequestError(f"the {cls.__name__.lower()} is wrong{at}: {what}.") from None
