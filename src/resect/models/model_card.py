"""The front matter of a model's card: its parent, its license, as its makers say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from resect.errors import RequestError
from resect.spec import yaml_text

_LONGEST = 200  # characters of a parent's name


def card_of(place: str, revision: str | None = None) -> Path | None:
    """The card of a model directory or hub id, None where there is none here."""
    if Path(place).exists():
        card = Path(place) / "README.md"
        return card if card.is_file() else None
    path = cached_file(
        place, "README.md", revision=revision, _raise_exceptions_for_missing_entries=False
    )
    return Path(path) if path else None


def front_matter(card: Path | None) -> dict[str, Any]:
    """What a card's front matter says; nothing where it has none that can be read."""
    if card is None:
        return {}
    with card.open(encoding="utf-8", errors="replace") as file:
        match = re.match(r"---\n(.*?)\n---", file.read(yaml_text.LARGEST), re.S)
    try:
        told = yaml_text.load(match[1], str(card)) if match else None
    except RequestError:
        return {}
    return told if isinstance(told, dict) else {}


def base_model(card: Path | None) -> str | None:
    """The model that this one was made from."""
    parent = front_matter(card).get("base_model")
    if isinstance(parent, list):
        parent = parent[0] if parent else None
    return None if parent is None else str(parent)[:_LONGEST]
