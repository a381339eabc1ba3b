"""Load a model safely, and identify its weights.

Safetensors, or `.bin` files through torch's weights-only loader with a notice; full unpickling and
remote code are refused. `identify` finds problems before anything is loaded or written.
"""

from __future__ import annotations

import contextlib
import copy
import re
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging
from transformers.utils.hub import cached_file

from resect import clinic, limits, network
from resect.errors import RequestError, RunError
from resect.limits import TooMuch
from resect.models import (
    compute_dtype,
    devices,
    folder_files,
    folder_limits,
    gguf_models,
    model_card,
    model_files,
    named_models,
)
from resect.models.library_patches import patch_after_load
from resect.models.scratch import Scratch
from resect.spec import ModelRef

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")  # what a model on the hub can be called
_SECONDS, _ROOM = 120.0, 8 << 30  # of a check, weights not counted
_TINY = 20_000_000  # parameters below which operations are too short for several threads
transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()  # its reports print names of tensors as they are


class Loaded(NamedTuple):
    """A model in evaluation mode on its device, with its tokenizer (left-padding)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Identity(NamedTuple):
    """What a reference points at: `fingerprint` of the weights, `parent` from the model card."""

    fingerprint: str
    revision: str | None
    dtype: str
    parent: str | None


def where(ref: ModelRef) -> str:
    """The directory or hub id to load; `clinic:NAME` (specialist, base, ...) ships with resect.

    So does the adapter of `smollm2-medical`; `smollm2` is in a package or on the hub.
    """
    if ref.id in named_models.NAMES:
        return named_models.path(ref.id)
    kind, separator, name = ref.id.partition(":")
    if kind == "clinic" and separator:
        return str(clinic.path(name))
    place = Path(ref.id).expanduser()
    if ref.id and place.exists():
        return str(place)
    if not HUB_ID.fullmatch(ref.id):
        raise RequestError(f"there is no model directory {ref.id}: check the path.")
    network.prefer_cache()
    return ref.id


def check(ref: ModelRef, device: str = "") -> Loaded:
    """The model without its data (meta device), and its tokenizer; in the type of `device`, if any.

    Everything that can go wrong in loading is found here: raises `RequestError` for a missing
    directory, a file that is no model, weights that are missing or have the wrong shape, a model
    that needs remote code, a checkpoint that needs full unpickling.
    """
    check_directory(ref)
    if is_packed(ref) or gguf_models.is_file(Path(where(ref))):
        return _packed(ref)
    place = Path(where(ref))
    with _bounded(ref, place):
        loaded = _load(ref, {"device_map": "meta"}, device)
    if place.exists() and model_files.adapter(place):
        _check_base(ref, place)
    return loaded


def identify(ref: ModelRef, device: str = "") -> tuple[Identity, Loaded]:
    """As `check`, and the identity of the weights (every byte of a local model is hashed).

    Its `dtype` is the one that the model computes in on `device`.
    """
    loaded = check(ref, device)
    place = Path(where(ref))
    config = loaded.model.config
    dtype = ref.dtype if ref.dtype != "auto" else str(loaded.model.dtype).removeprefix("torch.")
    if place.exists():
        parent = model_card.base_model(model_card.card_of(str(place)))
        digest = model_files.fingerprint(place, ref.trust_remote_code)
        return Identity(digest, None, dtype, parent), loaded
    commit = getattr(config, "_commit_hash", None) or ref.revision or "main"
    parent = model_card.base_model(model_card.card_of(str(place), commit))
    return Identity(f"hub:{place}@{commit}", commit, dtype, parent), loaded


def refuse_unloadable(folder: Path, ref: ModelRef) -> None:
    """Raises `RunError` where a folder that was made from `ref` does not load (names, shapes)."""
    written = ref.model_copy(update={"id": str(folder), "revision": None, "dtype": "auto"})
    try:
        check(written)
    except RequestError as error:
        reason = str(error).replace(str(folder), "the result")
        raise RunError(f"no model is written, as it would not load again: {reason}") from None


def load(ref: ModelRef, device: str, notice: Callable[[str], None] = warnings.warn) -> Loaded:
    """Load onto `device` (as `devices` names it), in a type that the device computes fast.

    `notice` gets a sentence where weights come from `.bin` files, and where only the text part of a
    multimodal model is loaded. Raises `RequestError` as `check` does.
    """
    check_directory(ref)
    if not _has_safetensors(ref):
        notice(f"{ref.name} has no safetensors: read through torch's weights-only loader.")
    if device == devices.SPREAD or is_packed(ref):
        loaded = _load(ref, {"device_map": devices.map_of(device)}, device)
        devices.check_spread(loaded.model, ref.name)
        return loaded
    loaded = _load(ref, {}, device)
    config = _config(ref)
    if config.model_type != loaded.model.config.model_type:
        notice(f"{ref.name} is {config.model_type}: only its text part is loaded and saved.")
    loaded.model.to(torch.device(device))  # type: ignore[arg-type]  # transformers' stub is off
    return loaded


def empty(config: PretrainedConfig) -> PreTrainedModel:
    """The model of a config on the meta device, not quantized: only names, shapes and counts."""
    plain = copy.deepcopy(config)
    for part in (plain, plain.get_text_config()):
        part.__dict__.pop("quantization_config", None)
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(plain)
    return model.eval()


def is_packed(ref: ModelRef) -> bool:
    """Whether a checkpoint has quantized weights; MXFP4 does not count, as it is unpacked."""
    with _one_sentence(ref):
        config = _config(ref)
    quantized = getattr(config, "quantization_config", None) or {}
    settings = quantized if isinstance(quantized, dict) else quantized.to_dict()
    return bool(settings) and "mxfp4" not in str(settings.get("quant_method", "")).lower()


def tokenizer(ref: ModelRef) -> PreTrainedTokenizerBase:
    """A model's tokenizer alone. Raises `RequestError` as `check` does."""
    check_directory(ref)
    place, shared = gguf_models.opened(where(ref), _arguments(ref))
    with _one_sentence(ref):
        return AutoTokenizer.from_pretrained(place, **shared)


def positions(model: PreTrainedModel) -> int | None:
    """How many tokens a model can read at once; multimodal configs have it in their text part."""
    limit: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return limit


def is_clinic(model: PreTrainedModel) -> bool:
    """Whether a model is one of the embedded ones that ship with resect."""
    return model.name_or_path in {str(clinic.path(name)) for name in clinic.MODELS}


def is_tiny(model: PreTrainedModel) -> bool:
    """Whether a model is too small to use more than one core."""
    return int(model.num_parameters()) < _TINY


@contextlib.contextmanager
def threads(model: PreTrainedModel) -> Iterator[None]:
    """A context with one thread for a tiny model on the CPU, whose operations are too short."""
    before = torch.get_num_threads()
    if model.device.type == "cpu" and is_tiny(model):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _one_sentence(ref: ModelRef) -> Iterator[None]:
    """Broken files raise errors of many kinds: all become a `RequestError`."""
    try:
        yield
    except (MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit, RequestError, TooMuch):
        raise
    except BaseException as error:  # a panic of the tokenizers' Rust is no `Exception`
        raise _load_error(ref, error) from None


@contextlib.contextmanager
def _bounded(ref: ModelRef, place: Path) -> Iterator[None]:
    """Limits on checking a model, whose config may ask for more than any checkpoint holds."""
    files = model_files.weights(place).files if place.is_dir() else ()
    mapped = sum(path.stat().st_size for path in files)
    try:
        with limits.bounded(_SECONDS, _ROOM + 2 * mapped):
            yield
    except TooMuch as error:
        raise RequestError(f"{ref.id} is no model resect can load ({error}).") from None


def _load(ref: ModelRef, how: dict[str, Any], device: str = "") -> Loaded:
    """Model and tokenizer, held in a type that is fast on `device`, if one is given."""
    place, shared = gguf_models.opened(where(ref), _arguments(ref))
    with _one_sentence(ref):
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **shared)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place, dtype=ref.dtype, output_loading_info=True, **shared, **how
        )
    model, info = loaded
    model = gguf_models.plain(model) if "gguf_file" in shared else model
    missing = sorted(info["missing_keys"]) + sorted(str(k) for k in info["mismatched_keys"])
    if missing:
        raise RequestError(
            f"{ref.id} lacks {len(missing)} weights that its config asks for, like {missing[0]}: "
            "the checkpoint is incomplete, or the config belongs to another model."
        )
    packing = getattr(model.config, "quantization_config", None)
    # packed weights of other libraries need inputs of the file's type
    any_dtype = packing is None or getattr(packing, "load_in_4bit", False)
    if device and ref.dtype == "auto" and devices.kind(device) == "cpu" and any_dtype:
        compute_dtype.widen_(model)
    return Loaded(patch_after_load(model), _ensure_pad_token(tokenizer))


def _packed(ref: ModelRef) -> Loaded:
    """Model and tokenizer from the config alone: packed weights cannot be on meta."""
    place, shared = gguf_models.opened(where(ref), _arguments(ref))
    with _one_sentence(ref):
        config = _config(ref)
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **shared)
        model = empty(config)
    if "gguf_file" not in shared:
        model.config.quantization_config = config.quantization_config  # for `stored.is_quantized`
    return Loaded(model, _ensure_pad_token(tokenizer))


def _config(ref: ModelRef) -> PretrainedConfig:
    place, shared = gguf_models.opened(where(ref), _arguments(ref))
    config: PretrainedConfig = AutoConfig.from_pretrained(place, **shared)
    return config


def _arguments(ref: ModelRef) -> dict[str, Any]:
    """Arguments for loading config, tokenizer and weights alike."""
    arguments: dict[str, Any] = {"trust_remote_code": ref.trust_remote_code}
    return arguments if Path(where(ref)).exists() else {**arguments, "revision": ref.revision}


def _ensure_pad_token(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def _load_error(ref: ModelRef, error: BaseException) -> RequestError:
    """The sentence for a model that could not be loaded."""
    if "trust_remote_code" in str(error):
        return RequestError(
            f"{ref.id} needs code from its own repository: read that code, then allow it with "
            "--trust_remote_code."
        )
    if Path(where(ref)).exists():
        reason = f"{type(error).__name__}: {folder_files.first_line(error)}"
        return RequestError(f"{ref.id} is no model resect can load ({reason})")
    return RequestError(
        f"{ref.id} is neither a local directory nor a model that can be downloaded from the hub: "
        "check the name, or download it first."
    )


def check_directory(ref: ModelRef) -> None:
    """Raises `RequestError` for a directory that is no model, or that leads to files outside."""
    place = Path(where(ref))
    if not place.exists():
        with _one_sentence(ref):
            snapshots = folder_files.on_hub(ref)
        return folder_limits.check_all(snapshots)
    if gguf_models.is_file(place):
        return gguf_models.check(place)
    if not place.is_dir():
        raise RequestError(f"{ref.id} is a file: give the model's directory.")
    model_files.refuse_links(place)
    folder_limits.check(place)
    if not (place / "config.json").is_file():
        raise RequestError(f"{ref.id} is no model directory: it has no config.json.")
    if (place / "adapter_config.json").is_file() and find_spec("peft") is None:
        raise RequestError(f"{ref.id} has an adapter: pip install 'resect[recover]' to load it.")
    if not any((place / name).exists() for name in model_files.TOKENIZERS):
        raise RequestError(f"{ref.id} has no tokenizer: save it beside the weights.")
    files = model_files.weights(place).files
    if not files:
        raise RequestError(f"{ref.id} holds no weights: add a .safetensors or .bin file.")
    tensors = sum(
        folder_files.tensors(ref.id, path) for path in (*files, *model_files.adapter(place))
    )
    layers = folder_limits.layers(place)
    if layers > tensors:
        raise RequestError(
            f"the config of {ref.id} asks for {layers} layers, and its weights are {tensors} "
            "tensors: the checkpoint is incomplete, or the config belongs to another model."
        )


def _check_base(ref: ModelRef, place: Path) -> None:
    """Raises `RequestError` where the model under an adapter is incomplete.

    When it loads both, transformers (5.23) reports only what the adapter lacks.
    """
    with Scratch("base") as folder:
        for path in place.iterdir():
            if not path.name.startswith("adapter_"):
                (folder / path.name).symlink_to(path.absolute())
        try:
            _load(ref.model_copy(update={"id": str(folder)}), {"device_map": "meta"})
        except RequestError as error:
            raise RequestError(str(error).replace(str(folder), ref.id)) from None


def _has_safetensors(ref: ModelRef) -> bool:
    place = Path(where(ref))
    if place.is_file():
        return True
    if place.exists():
        return not model_files.weights(place).pickled
    for name in ("model.safetensors", "model.safetensors.index.json"):
        if cached_file(
            str(place), name, revision=ref.revision, _raise_exceptions_for_missing_entries=False
        ):
            return True
    return False
