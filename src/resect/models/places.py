"""Whether a model is where a study says, asked before anything else: paths first, then the hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from resect.models import loading
from resect.spec import ModelRef


def check_places(refs: Iterable[ModelRef]) -> None:
    """Raise `RequestError` for a directory that is no model, or an id that the hub does not have.

    Every directory is checked before the hub is asked. Of files only names and headers are read.
    """
    for ref in sorted(refs, key=_is_on_hub):
        loading.check_directory(ref)
        if _is_on_hub(ref):
            loading.is_packed(ref)  # reads the config


def _is_on_hub(ref: ModelRef) -> bool:
    """Whether nothing but the hub can have it: no path, and a name that the hub could use."""
    shipped = ref.id.startswith("clinic:")
    is_id = loading.HUB_ID.fullmatch(ref.id) is not None
    return is_id and not shipped and not Path(ref.id).expanduser().exists()
