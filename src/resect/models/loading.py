"""Load a model safely, and name its weights.

Safetensors, or `.bin` files through torch's weights-only loader with a notice; full unpickling
and remote code are refused. `identify` finds what is wrong before anything is loaded or written.
"""

from __future__ import annotations

import contextlib
import copy
import re
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
import yaml
from safetensors import safe_open
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

from resect import clinic
from resect.errors import RequestError, RunError
from resect.models import bnb_cpu as kernels
from resect.models import devices, gguf_models, model_files
from resect.scratch import Scratch
from resect.spec import ModelRef

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_TINY = 20_000_000  # parameters below which operations are too short to share between threads
transformers_logging.disable_progress_bar()


class Loaded(NamedTuple):
    """A model in evaluation mode on its device, with its tokenizer (left-padding)."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class Identity(NamedTuple):
    """What a reference points at: `fingerprint` names the weights, `parent` what the card says."""

    fingerprint: str
    revision: str | None
    dtype: str
    parent: str | None


def where(ref: ModelRef) -> str:
    """The directory or hub id to load: `clinic:NAME` (specialist, base, ...) ships with resect."""
    kind, found, name = ref.id.partition(":")
    if kind == "clinic" and found:
        return str(clinic.path(name))
    place = Path(ref.id).expanduser()
    if ref.id and place.exists():
        return str(place)
    if not _HUB_ID.fullmatch(ref.id):
        raise RequestError(f"there is no model directory {ref.id}: check the path.")
    return ref.id


def check(ref: ModelRef) -> Loaded:
    """The model without its data (meta device), and its tokenizer.

    Everything a load can stumble over is found here: raises `RequestError` for a missing
    directory, a file that is no model, weights that are missing or do not fit, a model that needs
    remote code, a checkpoint that needs full unpickling.
    """
    _check_directory(ref)
    if is_packed(ref) or gguf_models.is_file(Path(where(ref))):
        return _packed(ref)
    loaded, place = _load(ref, {"device_map": "meta"}), Path(where(ref))
    if place.exists() and model_files.adapter(place):
        _check_base(ref, place)
    return loaded


def identify(ref: ModelRef) -> tuple[Identity, Loaded]:
    """As `check`, and a name for the weights (every byte of a local model is read for it)."""
    loaded = check(ref)
    place = Path(where(ref))
    config = loaded.model.config
    dtype = ref.dtype if ref.dtype != "auto" else str(loaded.model.dtype).removeprefix("torch.")
    if place.exists():
        parent = _parent(place / "README.md")
        found = model_files.fingerprint(place, ref.trust_remote_code)
        return Identity(found, None, dtype, parent), loaded
    commit = getattr(config, "_commit_hash", None) or ref.revision or "main"
    card = cached_file(
        ref.id, "README.md", revision=commit, _raise_exceptions_for_missing_entries=False
    )
    parent = _parent(Path(card)) if card else None
    return Identity(f"hub:{ref.id}@{commit}", commit, dtype, parent), loaded


def refuse_unloadable(folder: Path, ref: ModelRef) -> None:
    """Raises `RunError` where a folder that was made from `ref` does not load: names and shapes."""
    made = ref.model_copy(update={"id": str(folder), "revision": None, "dtype": "auto"})
    try:
        check(made)
    except RequestError as error:
        reason = str(error).replace(str(folder), "what was made")
        raise RunError(f"no model is written, as it would not load again: {reason}") from None


def load(ref: ModelRef, device: str, notice: Callable[[str], None] = warnings.warn) -> Loaded:
    """Load onto `device` (as `devices` names it).

    `notice` gets a sentence where weights come from `.bin` files, and where a model that also sees
    or hears is loaded without what it sees and hears with. Raises `RequestError` as `check` does.
    """
    _check_directory(ref)
    if not _has_safetensors(ref):
        notice(f"{ref.name} has no safetensors: read through torch's weights-only loader.")
    if device == devices.SPREAD or is_packed(ref):
        found = _load(ref, {"device_map": devices.map_of(device)})
        devices.check_spread(found.model, ref.name)
        return found
    loaded = _load(ref, {})
    whole = _config(ref)
    if whole.model_type != loaded.model.config.model_type:
        notice(f"{ref.name} is {whole.model_type}: only its text part is loaded, and kept.")
    loaded.model.to(torch.device(device))  # type: ignore[arg-type]  # transformers' stub is off
    return loaded


def empty(config: PretrainedConfig) -> PreTrainedModel:
    """The model of a config on the meta device, not quantized: names, shapes and counts only."""
    plain = copy.deepcopy(config)
    for one in (plain, plain.get_text_config()):
        one.__dict__.pop("quantization_config", None)
    with torch.device("meta"):
        found: PreTrainedModel = AutoModelForCausalLM.from_config(plain)
    return found.eval()


def is_packed(ref: ModelRef) -> bool:
    """Whether a checkpoint holds quantized weights; MXFP4, which is unpacked, does not count."""
    try:
        config = _config(ref)
    except Exception as error:
        raise _cannot(ref, error) from None
    quantized = getattr(config, "quantization_config", None) or {}
    fields = quantized if isinstance(quantized, dict) else quantized.to_dict()
    return bool(fields) and "mxfp4" not in str(fields.get("quant_method", "")).lower()


def positions(model: PreTrainedModel) -> int | None:
    """How many tokens a model can read at once; multimodal configs keep it in their text part."""
    found: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return found


def is_clinic(model: PreTrainedModel) -> bool:
    """Whether a model is one of the embedded pair, loaded from where it ships."""
    return model.name_or_path in {str(clinic.path(name)) for name in clinic.MODELS}


def is_tiny(model: PreTrainedModel) -> bool:
    """Whether one core is all that a model can use."""
    return int(model.num_parameters()) < _TINY


@contextlib.contextmanager
def threads(model: PreTrainedModel) -> Iterator[None]:
    """One thread for a tiny model on the CPU: its operations are too short to share."""
    before = torch.get_num_threads()
    if model.device.type == "cpu" and is_tiny(model):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _load(ref: ModelRef, how: dict[str, Any]) -> Loaded:
    """Model and tokenizer. transformers and the tokenizers raise anything on a broken file, so
    this is the one place where everything is caught.
    """
    place, shared = gguf_models.opened(where(ref), _shared(ref))
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **shared)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            place, dtype=ref.dtype, output_loading_info=True, **shared, **how
        )
    except MemoryError:
        raise
    except Exception as error:
        raise _cannot(ref, error) from None
    model, found = loaded
    model = gguf_models.plain(model) if "gguf_file" in shared else model
    absent = sorted(found["missing_keys"]) + sorted(str(k) for k in found["mismatched_keys"])
    if absent:
        raise RequestError(
            f"{ref.id} lacks {len(absent)} weights that its config asks for, like {absent[0]}: "
            "the checkpoint is not whole, or the config is another model's."
        )
    return Loaded(settled(model), _padded(tokenizer))


def _packed(ref: ModelRef) -> Loaded:
    """As the config says, since packed weights cannot be laid out on meta."""
    place, shared = gguf_models.opened(where(ref), _shared(ref))
    try:
        config = _config(ref)
        tokenizer = AutoTokenizer.from_pretrained(place, padding_side="left", **shared)
        found = empty(config)
    except MemoryError:
        raise
    except Exception as error:
        raise _cannot(ref, error) from None
    if "gguf_file" not in shared:
        found.config.quantization_config = config.quantization_config  # so that one can tell
    return Loaded(found, _padded(tokenizer))


def settled(model: PreTrainedModel) -> PreTrainedModel:
    """A loaded model ready to be asked.

    bitsandbytes' fast path for 4 bits on some processors takes only blocks of 64 within a row and
    rows in groups of 32 (0.50); other matrices go the general way, which is put right. To save a
    model, transformers (5.23) turns back what it converted in loading: it would save MXFP4, which
    is unpacked then, under the packed names, which nothing can load, and it cannot turn back
    packed 4 bits, which are saved as they are.
    """
    ways: Any = getattr(model, "_weight_conversions", None) or []
    plain = not getattr(model.config, "quantization_config", None)
    stay = [way for way in ways if not (plain and _is_mxfp4(way)) and _can_be_turned_back(way)]
    if len(stay) < len(ways):
        vars(model)["_weight_conversions"] = stay
    module: Any
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False):
            fits = module.in_features % 64 == 0 and module.out_features % 32 == 0
            module.support_avx512bf16_for_cpu = fits
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None and module.weight.device.type == "cpu":
            kernels.right_four_bits()
    return model.eval()


def _is_mxfp4(way: Any) -> bool:
    return any("_blocks" in str(pattern) for pattern in way.source_patterns)


def _can_be_turned_back(way: Any) -> bool:
    try:
        way.reverse_transform()
    except NotImplementedError:
        return False
    return True


def _config(ref: ModelRef) -> PretrainedConfig:
    place, shared = gguf_models.opened(where(ref), _shared(ref))
    found: PretrainedConfig = AutoConfig.from_pretrained(place, **shared)
    return found


def _shared(ref: ModelRef) -> dict[str, Any]:
    """How config, tokenizer and weights are asked for alike."""
    found: dict[str, Any] = {"trust_remote_code": ref.trust_remote_code}
    return found if Path(where(ref)).exists() else {**found, "revision": ref.revision}


def _padded(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def _cannot(ref: ModelRef, error: Exception) -> RequestError:
    """What went wrong with a reference, in a sentence."""
    if "trust_remote_code" in str(error):
        return RequestError(
            f"{ref.id} needs code from its own repository: read that code, then allow it "
            "with --trust_remote_code."
        )
    if Path(where(ref)).exists():
        reason = f"{type(error).__name__}: {_first_line(error)}"
        return RequestError(f"{ref.id} is no model resect can load ({reason})")
    return RequestError(
        f"{ref.id} is neither a directory here nor a model that can be fetched from the hub: "
        "check the name, or download it first."
    )


def _check_directory(ref: ModelRef) -> None:
    """Raises `RequestError` for a directory that is no model, or that names or links to others."""
    place = Path(where(ref))
    if not place.exists():
        return  # a hub id
    if gguf_models.is_file(place):
        return gguf_models.check(place)
    if not place.is_dir():
        raise RequestError(f"{ref.id} is a file: give the model's directory.")
    model_files.refuse_links(place)
    if not (place / "config.json").is_file():
        raise RequestError(f"{ref.id} is no model directory: it has no config.json.")
    if (place / "adapter_config.json").is_file() and find_spec("peft") is None:
        raise RequestError(f"{ref.id} carries an adapter: pip install 'resect[recover]' for it.")
    if not any((place / name).exists() for name in model_files.TOKENIZERS):
        raise RequestError(f"{ref.id} has no tokenizer: save it beside the weights.")
    files = model_files.weights(place).files
    if not files:
        raise RequestError(f"{ref.id} holds no weights: there is no .safetensors or .bin file.")
    for path in (*files, *model_files.adapter(place)):
        _check_weights(ref, path)


def _check_base(ref: ModelRef, place: Path) -> None:
    """Raises `RequestError` where the model under an adapter is not whole.

    Loading both, transformers (5.23) tells only what the adapter lacks.
    """
    with Scratch("base") as folder:
        for path in place.iterdir():
            if not path.name.startswith("adapter_"):
                (folder / path.name).symlink_to(path.absolute())
        try:
            _load(ref.model_copy(update={"id": str(folder)}), {"device_map": "meta"})
        except RequestError as error:
            raise RequestError(str(error).replace(str(folder), ref.id)) from None


def _check_weights(ref: ModelRef, path: Path) -> None:
    """Raises `RequestError` for a file of weights that its library does not open."""
    try:
        if path.suffix == ".bin":
            torch.load(path, map_location="meta", weights_only=True, mmap=_is_zip(path))
        else:
            safe_open(path, framework="pt")
    except MemoryError:
        raise
    except UnpicklingError:
        raise RequestError(
            f"{path} needs full unpickling, which can run any code: "
            "convert the checkpoint to safetensors where you trust it."
        ) from None
    except Exception as error:  # on a broken file the libraries raise anything
        reason = f"{path.name} cannot be read: {_first_line(error)}"
        raise RequestError(f"{ref.id} is no model resect can load ({reason})") from None


def _has_safetensors(ref: ModelRef) -> bool:
    place = Path(where(ref))
    if place.is_file():
        return True
    if place.exists():
        return not model_files.weights(place).pickled
    for name in ("model.safetensors", "model.safetensors.index.json"):
        if cached_file(
            ref.id, name, revision=ref.revision, _raise_exceptions_for_missing_entries=False
        ):
            return True
    return False


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _parent(card: Path) -> str | None:
    """`base_model` from a model card's front matter."""
    if not card.is_file():
        return None
    match = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.S)
    try:
        named = (yaml.safe_load(match[1]) or {}).get("base_model") if match else None
    except (yaml.YAMLError, AttributeError):
        return None
    if isinstance(named, list):
        named = named[0] if named else None
    return None if named is None else str(named)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
