"""Read rows of a hub dataset through `datasets`: revisions, offline cache, one-sentence errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resect import network
from resect.errors import RequestError


def named(source: str) -> tuple[str, str | None]:
    """Name and config of the set that `name` or `name:config` stands for."""
    name, _, config = source.partition(":")
    return name, config or None


def revision(name: str, config: str | None) -> str:
    """The commit that `name` stands for, on the hub or in the cache; empty where neither tells."""
    try:
        import datasets

        network.prefer_cache()
        return str(datasets.load_dataset_builder(name, config).hash or "")
    except (ImportError, OSError, ValueError, RuntimeError):
        return ""  # whoever reads the rows will say why


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
    network.prefer_cache()
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
