"""Rows of a hub dataset, read with `datasets`: revisions, offline cache, clear errors."""

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
    """The commit of `name` on the hub or in the cache; empty if unknown."""
    try:
        import datasets

        network.prefer_cache()
        return str(datasets.load_dataset_builder(name, config).hash or "")
    except (ImportError, OSError, ValueError, RuntimeError):
        return ""  # reading the rows gives the reason


def rows(
    name: str, config: str | None, split: str, revision: str | None = None, streaming: bool = False
) -> Iterator[dict[str, Any]]:
    """Rows of `name` in their own schema; from the cache where `HF_HUB_OFFLINE=1`."""
    try:
        import datasets  # heavy, and only where no --data_dir is given
    except ImportError:
        raise RequestError(
            f"dataset {name} is on the hub: pip install 'resect[hub]', or give --data_dir."
        ) from None
    network.prefer_cache()
    try:
        dataset = datasets.load_dataset(
            name, config, split=split, revision=revision, streaming=streaming
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise RequestError(
            f"dataset {name} cannot be downloaded and is not in the cache "
            f"({type(error).__name__}): give offline files with --data_dir."
        ) from None
    yield from dataset
