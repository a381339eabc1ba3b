"""The files of a model's folder that loading reads, in transformers' order, all inside the folder.

Free of torch. Folders are untrusted: files that a config or an index names, and targets of links,
are checked before they are opened.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from resect import clinic
from resect.errors import RequestError
from resect.models import folder_limits

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
"""A folder with none of these has no tokenizer."""
_TEXTS = (
    *TOKENIZERS,
    *("config.json", "generation_config.json", "tokenizer_config.json", "merges.txt"),
    *("special_tokens_map.json", "chat_template.jinja", "added_tokens.json"),
    *("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"),
    *("vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tiktoken.model", "tekken.json"),
)
_TEMPLATES = "additional_chat_templates"
_INDEX = ".index.json"
_LARGEST = 64 << 20
_WEIGHTS = tuple(
    name + end for name in ("model.safetensors", "pytorch_model.bin") for end in ("", _INDEX)
)
_RANK = re.compile(r"shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")


class Weights(NamedTuple):
    """The files that hold a model's weights, and their index (`table`), if any."""

    files: tuple[Path, ...] = ()
    table: Path | None = None

    @property
    def pickled(self) -> bool:
        """Whether they are `.bin` files."""
        return any(path.suffix == ".bin" for path in self.files)


def weights(folder: Path) -> Weights:
    """The files that a model's weights are loaded from; empty where there are none.

    As transformers finds them: the file that the config names, else one file of the usual name,
    else those that an index names; safetensors before `.bin`. Other files beside them (another
    precision, an older upload) do not count. Raises `RequestError` for a file outside the folder.
    """
    if any(_RANK.fullmatch(name) for name in _names(folder)):
        raise RequestError(
            f"{folder} holds the parts of a distributed checkpoint (shard-...): save the model "
            "with save_pretrained in one process."
        )
    for name in _named(folder) or _WEIGHTS:
        path = inside(folder, name)
        if os.path.isfile(path):
            if name.endswith(_INDEX):
                return Weights(_shards(folder, path), path)
            return Weights((path,))
    return Weights()


def adapter(folder: Path) -> tuple[Path, ...]:
    """The file of a model's adapter, if it has one."""
    if not (folder / "adapter_config.json").is_file():
        return ()
    files = (inside(folder, f"adapter_model.{end}") for end in ("safetensors", "bin"))
    return next(((path,) for path in files if path.is_file()), ())


def loaded(folder: Path, with_code: bool = False) -> list[Path]:
    """Every file that loading reads: config, tokenizer, weights; and its code, if `with_code`."""
    model_weights = weights(folder)
    paths = [inside(folder, name) for name in dict.fromkeys(_texts(folder))]
    paths += sorted((*model_weights.files, *([model_weights.table] if model_weights.table else [])))
    paths += sorted(folder.glob("*.py")) if with_code else []
    return [path for path in paths if os.path.isfile(path)]


def fingerprint(place: Path, with_code: bool = False) -> str:
    """SHA-256 over names and contents of what loading reads; its own code only where that runs."""
    content = hashlib.sha256()
    files = [place] if place.is_file() else loaded(place, with_code)
    for path in files:
        name = path.relative_to(place if place.is_dir() else place.parent).as_posix()
        content.update(f"{name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            content.update(hashlib.file_digest(file, "sha256").digest())
    return "sha256:" + content.hexdigest()[:32]


def inside(folder: Path, name: str) -> Path:
    """The path of a file that `folder` names; raises `RequestError` where it is outside.

    Names with unprintable characters are refused, too.
    """
    pure = PurePath(name)
    if pure.is_absolute() or ".." in pure.parts or not name.isprintable():
        raise RequestError(
            f"{folder} names the file {name!r}, which is not inside the folder: download the model "
            "from a source that you trust."
        )
    refuse_link(folder, folder / name)
    return folder / name


def refuse_links(folder: Path) -> None:
    """Raises `RequestError` where a link in `folder` leads out of it."""
    for name in _names(folder):
        refuse_link(folder, folder / name)


def refuse_link(folder: Path, path: Path) -> None:
    """Raises `RequestError` where a path in a model's folder is a link that leads out of it."""
    if folder in map(clinic.path, clinic.MODELS):
        return  # a package installer may use links
    try:
        root, real = folder.resolve(), path.resolve()
        safe = real.is_relative_to(root) or _is_cached(root, real)
    except (OSError, RuntimeError):  # a ring of links
        safe = False
    if not safe:
        raise RequestError(
            f"{path} is a link that leads out of the model's folder: put the file itself there, "
            "or remove the link."
        )


def _is_cached(root: Path, real: Path) -> bool:
    """Whether a file is in the hub's cache and belongs to the snapshot `root`.

    `REPO/snapshots/COMMIT/...` links to `REPO/blobs/HASH`, and that, from huggingface_hub 2 on, to
    `blobs/HA/HASH` beside the repositories.
    """
    for place in (root, *root.parents):
        if place.parent.name == "snapshots":
            repository = place.parent.parent
            shared = repository.parent / "blobs" / real.name[:2]
            return real.parent in (repository / "blobs", shared)
    return False


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _named(folder: Path) -> tuple[str, ...]:
    """The file of weights that a config names, if any."""
    fields = _json(inside(folder, "config.json"))
    if "configuration_files" in fields:
        raise RequestError(
            f"{folder / 'config.json'} names other configs (configuration_files): replace it by "
            "the one to use."
        )
    name = fields.get("transformers_weights")
    return () if name is None else (str(name),)


def _shards(folder: Path, index: Path) -> tuple[Path, ...]:
    """The files that an index names."""
    table = _json(index).get("weight_map")
    names = list(table.values()) if isinstance(table, dict) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise RequestError(
            f"{index} is no index of weights, its weight_map names no files: download it again."
        )
    ending = Path(index.name.removesuffix(_INDEX)).suffix
    paths = sorted({inside(folder, name) for name in names})
    for path in paths:
        if path.suffix != ending:
            raise RequestError(
                f"{index} names {path.name!r}, which is no {ending} file: download it again."
            )
        if not os.path.isfile(path):
            raise RequestError(f"{index} names {path.name!r}, which is missing: download it.")
    return tuple(paths)


def _texts(folder: Path) -> Iterator[str]:
    """Names of the files that config and tokenizer are read from, there or not."""
    yield from _TEXTS
    versions = _json(inside(folder, "tokenizer_config.json")).get("fast_tokenizer_files")
    yield from map(str, versions if isinstance(versions, list) else ())
    for name in _names(folder / _TEMPLATES):
        if name.endswith(".jinja"):
            yield f"{_TEMPLATES}/{name}"


def _json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file."""
    if not os.path.isfile(path):
        return {}
    if path.stat().st_size > _LARGEST:
        raise RequestError(f"{path} is larger than {_LARGEST >> 20} MiB: download it again.")
    fields = folder_limits.read_json(path)
    if not isinstance(fields, dict):
        raise RequestError(f"{path} holds no JSON object: download it again.")
    return fields
