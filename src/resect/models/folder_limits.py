"""What a model's config, tokenizer and templates may ask for: nothing that fills memory or hangs.

Free of torch. A config of a few lines can ask for ten million layers, a tokenizer for a text that
grows at every letter; both are refused before a library reads them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from resect.errors import RequestError

_MOST = {
    re.compile(r"\w*layers?|(num|n)_(blocks?|depth)|depth|num_\w*heads?|n_heads?"): 1000,
    re.compile(r"\w*experts\w*|\w*expert_groups?|num_labels|num_\w*predict\w*"): 10_000,
    re.compile(r"\w*(size|dim|width|rank)\w*|n_embd|n_inner|d_\w+"): 10_000_000,
    re.compile(r"\w*position\w*|n_ctx"): 100_000_000,
}
"""Names of numbers in configs, and the most of each: they become objects or tensors in memory."""

_LAYERS = re.compile(r"(num|n)_(hidden_|decoder_)?layers?")
_LARGEST_NUMBER = 1 << 53
_LARGEST = {"tokenizer.json": 256 << 20, "vocab.json": 64 << 20, "merges.txt": 64 << 20}
_LARGEST_TEXT = 16 << 20
"""Bytes of the files that are read whole."""

_LARGEST_TEMPLATE = 1 << 20
_GROWTH = 1000.0
"""How much longer a normalizer may make a text."""

CONFIGS = ("config.json", "generation_config.json", "tokenizer_config.json", "adapter_config.json")


def check_all(folders: Iterable[Path]) -> None:
    """`check` for each folder."""
    for folder in folders:
        check(folder)


def check(folder: Path) -> None:
    """Raises `RequestError` for a folder whose config, tokenizer or template asks for too much."""
    for path in _texts(folder):
        most = _LARGEST.get(path.name, _LARGEST_TEXT)
        if path.suffix == ".jinja":
            most = _LARGEST_TEMPLATE
        if path.stat().st_size > most:
            raise RequestError(
                f"{path} is larger than {most >> 20} MiB, which no model needs: download it again."
            )
    for name in CONFIGS:
        fields = read_json(folder / name)
        check_numbers(fields, folder / name)
    _check_tokenizer(folder / "tokenizer.json")


def read_json(path: Path) -> Any:
    """The value of a JSON file, None where there is no such file; `RequestError` if it is none."""
    if not os.path.isfile(path):
        return None
    try:
        return from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read as JSON ({error}): download it again.") from None


def check_numbers(fields: Any, path: Path) -> None:
    """Raises `RequestError` where a config asks for more layers, heads, experts than any model."""
    for name, value in _numbers(fields):
        if _LAYERS.fullmatch(name) and not value >= 1:  # NaN is neither
            raise RequestError(f"{path} asks for {name}={value}: correct it.")
        for pattern, most in _MOST.items():
            if pattern.fullmatch(name) and not value <= most:
                raise RequestError(
                    f"{path} asks for {name}={_shown(value)}, more than {most:,}: correct it, or "
                    "download it again."
                )
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER and "length" not in name:
            raise RequestError(
                f"{path} has the number {name}={_shown(value)}, which is too large: correct it."
            )


def _shown(value: int | float) -> str:
    try:
        return f"{value:.4g}"
    except OverflowError:
        return "a number of hundreds of digits"


def layers(folder: Path) -> int:
    """How many layers the config of a folder asks for; 0 where it does not say."""
    numbers = _numbers(read_json(folder / "config.json"))
    return max((int(value) for name, value in numbers if _LAYERS.fullmatch(name)), default=0)


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, int | float]]:
    """Every number with the name that it has."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(part, str(key))
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def _texts(folder: Path) -> Iterator[Path]:
    for end in ("*.json", "*.txt", "*.jinja", "additional_chat_templates/*.jinja"):
        for path in folder.glob(end):
            if os.path.isfile(path) and not path.name.endswith(".index.json"):
                yield path


# ── tokenizers ──────────────────────────────────────────────────────────────────────────────────


def _check_tokenizer(path: Path) -> None:
    fields = read_json(path)
    if fields is None:
        return
    if not isinstance(fields, dict):
        raise RequestError(f"{path} is no tokenizer: download it again.")
    growth = 1.0
    for step in _steps(fields.get("normalizer")):
        growth *= _growth(step)
    if growth > _GROWTH:
        raise RequestError(
            f"the normalizer in {path} can make a text {growth:.2g} times as long: download it "
            "again, or use the tokenizer of the model that it was tuned from."
        )
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        for step in _steps(fields.get(part)):
            pattern = step.get("pattern")
            regex = pattern.get("Regex") if isinstance(pattern, dict) else None
            if isinstance(regex, str) and nests(regex):
                raise RequestError(
                    f"the {part} in {path} has a pattern that can take for ever ({regex:.60}): "
                    "download it again, or use the tokenizer of the model that it was tuned from."
                )


def _steps(value: Any) -> Iterator[dict[str, Any]]:
    """The steps of a normalizer or another part, sequences written out."""
    if isinstance(value, dict):
        yield value
        for name in ("normalizers", "pretokenizers", "decoders"):
            parts = value.get(name)
            for part in parts if isinstance(parts, list) else ():
                yield from _steps(part)


def _growth(step: dict[str, Any]) -> float:
    """How much longer one step of a normalizer can make a text of many letters."""
    content, pattern = step.get("content"), step.get("pattern")
    if step.get("type") != "Replace" or not isinstance(content, str):
        return 1.0
    text = pattern.get("String") if isinstance(pattern, dict) else None
    if isinstance(text, str) and text:
        return max(1.0, len(content) / len(text))
    return 1.0 + len(content)  # an expression may match between any two letters


def nests(regex: str) -> bool:
    """Whether a repeated group of a pattern holds a repetition, as in (a+)+: it may take for ever.

    Possessive and atomic groups are counted too: no tokenizer needs them there.
    """
    repeats = [False]  # for each open group, whether it holds a repetition without a bound
    place = 0
    while place < len(regex):
        char = regex[place]
        if char == "\\":
            place += 2
            continue
        if char == "[":
            place = _end_of_class(regex, place)
        elif char == "(":
            repeats.append(False)
        elif char == ")" and len(repeats) > 1:
            inner = repeats.pop()
            repeated = _is_unbounded(regex, place + 1)
            if inner and repeated:
                return True
            repeats[-1] = repeats[-1] or inner
        elif _is_unbounded(regex, place):
            repeats[-1] = True
        place += 1
    return False


def _is_unbounded(regex: str, place: int) -> bool:
    """Whether a repetition without a bound, or with a large one, stands at a place."""
    if regex[place : place + 1] in ("*", "+"):
        return True
    bounds = re.compile(r"\{\d*(,?)(\d*)\}").match(regex, place)
    return bounds is not None and (bounds[1] == "," and (not bounds[2] or int(bounds[2][:9]) > 10))


def _end_of_class(regex: str, place: int) -> int:
    """The place of the bracket that ends a class, with those inside it."""
    depth = 0
    while place < len(regex):
        if regex[place] == "\\":
            place += 1
        elif regex[place] == "[":
            depth += 1
        elif regex[place] == "]":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return place
