"""Read rows of a hub dataset through `datasets`: revisions, offline cache, one-sentence errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resect.errors import RequestError


def rows(
    name: str, config: str | None, split: str, revision: str | None = None, streaming: bool = False
) -> Iterator[dict[str, Any]]:
    """Rows of `name` in their own schema; from the cache where `HF_HUB_OFFLINE=1`."""
    try:
        import datasets  # heavy, and only where no --data_dir is given
    except ImportError:
        raise RequestError(
            f"dataset {name} comes from the hub: pip install 'resect[hub]', or give --data_dir."
        ) from None
    try:
        found = datasets.load_dataset(
            name, config, split=split, revision=revision, streaming=streaming
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise RequestError(
            f"dataset {name} can neither be fetched nor found in the cache "
            f"({type(error).__name__}): give offline files with --data_dir."
        ) from None
    yield from found
