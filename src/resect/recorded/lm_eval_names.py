"""The model, recipe and level that an lm-eval folder is about, from its results file and names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.recorded import lm_eval_files
from resect.recorded.lm_eval_files import Results, Subject
from resect.spec.parents import short

_TIME = r"\d{4}-\d\d-\d\dT[\d:.\-]+"
SAMPLES = re.compile(rf"samples_(?P<task>.+)_(?P<time>{_TIME})\.jsonl")
RESULTS = re.compile(rf"results_(?P<time>{_TIME})\.json")

_METHODS = "magnitude|wanda|sparsegpt|ria|pruned|prune|sparsity|sparse"
_NUMBER, _SIGN = r"\d+(?:\.\d+)?", r"[-_]?(?:percent|pct|%)"
_END = r"(?![A-Za-z\d%]|\.\d)"  # 7B, 8x7B and 2.7B are sizes
_DOSE = re.compile(
    rf"[-_.]*(?<![A-Za-z])(?P<method>{_METHODS})[-_=:]*(?P<number>{_NUMBER})(?P<sign>{_SIGN})?{_END}"
    # words that names of models hold as well: only with a fraction or a percent sign
    r"|[-_.]*(?<![A-Za-z])(?P<part>random|neurons|heads|experts)[-_=:]*"
    rf"(?:(?P<share>0?\.\d+)|(?P<hundredth>{_NUMBER}){_SIGN}){_END}"
    rf"|[-_]*(?<![\d.])(?P<percent>{_NUMBER}){_SIGN}{_END}"
    rf"|[-_]*(?<![\d.])(?P<bits>[2-8])[-_]?bits?{_END}",
    re.IGNORECASE,
)
LONGEST_NAME = 1000
"""Characters of a model's name; the patterns above take the square of it."""

_SPARSITY = ("sparsity", "sparsity_ratio", "pruning_ratio", "compression_ratio")


class Dose(NamedTuple):
    """One thing done to a model; `level` None where its dose is not known."""

    recipe: str
    level: float | None
    quantizer: bool = False

    @property
    def label(self) -> str:
        """The recipe with the bits it is known to have."""
        return self.recipe if self.level is None else f"{self.recipe}-{self.level:g}bit"


def subject_of(name: str, results: Mapping[str, Results], path: Path) -> tuple[Subject, Results]:
    """Who the sample file `name` speaks of, and its results file (empty where there is none)."""
    stated = _results_of(name, results)
    if stated.config.resect:
        return lm_eval_files.subject(stated.config, name), stated
    place = path.resolve()
    place = place.parent if place.name == name else place  # a lone sample file
    folder = PurePosixPath(name).parent.name or place.name
    arguments = _arguments(stated.config.model_args)
    model = str(arguments.get("pretrained") or stated.model_name or folder.replace("__", "/"))
    if len(model) > LONGEST_NAME:
        raise RequestError(
            f"the model of {name} has a name of {len(model)} characters: shorten it."
        )
    return _inferred(model, folder, arguments), stated


def _inferred(model: str, folder: str, arguments: Mapping[str, Any]) -> Subject:
    """Who a model, a folder and the arguments name: a sparsity argument goes before the names."""
    bare, doses, words = short(model), [], f"model_args of {folder}"
    sparsity = next((arguments[key] for key in _SPARSITY if _is_on(arguments.get(key))), None)
    if sparsity is not None:
        doses.append(_sparsity(str(sparsity), words))
    else:
        for kind, text in (("model", short(model)), ("folder", folder)):
            if match := _DOSE.search(text):
                words = f"{'folder' if text == folder else kind} {text}"
                rest = (text[: match.start()] + text[match.end() :]).strip("-_. ")
                bare = short(rest.replace("__", "/")) or short(model)
                doses.append(_matched(match, words))
                break
    recipe, level = _together(doses, _changes(arguments))
    return Subject(bare, model, None, recipe, level, words if recipe != "none" else "")


def readings(subjects: Iterable[Subject]) -> list[str]:
    """One sentence for each model and recipe that was inferred from names or arguments."""
    groups: dict[tuple[str, str], dict[str, Subject]] = defaultdict(dict)
    for subject in subjects:
        if subject.inferred:
            groups[subject.model, subject.recipe].setdefault(subject.inferred, subject)
    notes = []
    for (model, recipe), group in groups.items():
        first, *rest = group.values()
        level = "" if first.level is None else f" at {first.level:g}"
        level += " bits" if first.level is not None and first.level >= 1 else ""
        others = [f"{subject.inferred} at {subject.level or 0:g}" for subject in rest]
        more = f" ({'; '.join(others)})" if others else ""
        notes.append(
            f"{first.inferred} is read as {recipe}{level} of {model}{more}: where that is wrong, "
            "rename it or write the plain format."
        )
    return notes


def _results_of(name: str, results: Mapping[str, Results]) -> Results:
    """The results file of the same run: same time, else the newest beside it or above it."""
    sample = PurePosixPath(name)
    match = SAMPLES.fullmatch(sample.name)
    time = match["time"] if match else ""
    for folder in sample.parents:
        beside = {n: r for n, r in results.items() if PurePosixPath(n).parent == folder}
        named = {r.model_name for r in beside.values() if r.model_name}
        if len(named) > 1:
            raise RequestError(
                f"{folder} holds results of two models ({', '.join(sorted(named))}): give each "
                "a folder of its own."
            )
        if beside:
            newest = beside[max(beside)]
            return next((r for n, r in beside.items() if time in n), newest)
    return Results()


def _arguments(value: Any) -> dict[str, Any]:
    """`model_args` as a dict, from both ways lm-eval has written them."""
    if isinstance(value, dict):
        return value
    pairs = (part.partition("=") for part in str(value or "").split(","))
    return {key.strip(): text for key, equals, text in pairs if equals}


def _is_on(value: Any) -> bool:
    return str(value or "").strip().lower() not in ("", "false", "none", "null")


def _changes(arguments: Mapping[str, Any]) -> list[Dose]:
    """What the arguments of the model do to it: quantizers, adapters, deltas."""
    doses: dict[str, Dose] = {}
    for key, value in arguments.items():
        if not _is_on(value) or value in (0, "0"):
            continue
        name, word = key.lower(), short(str(value))
        if name in ("load_in_4bit", "load_in_8bit"):
            dose = Dose("bnb", float(name[len("load_in_")]), True)
        elif name in ("gptq", "autogptq", "gptqmodel", "awq", "autoawq"):
            dose = Dose("awq" if "awq" in name else "gptq", None, True)
        elif name == "quantization":
            dose = Dose(f"quantized {word}", None, True)
        elif name == "gguf_file":
            dose = Dose(f"gguf {word.removesuffix('.gguf')}", None, True)
        elif name in ("peft", "delta", "lora_local_path"):
            dose = Dose(f"{'delta' if name == 'delta' else 'peft'} {word}", None)
        else:
            continue
        doses.setdefault(dose.recipe, dose)
    return list(doses.values())


def _together(doses: list[Dose], changes: list[Dose]) -> tuple[str, float | None]:
    """One recipe and its swept level from all that was done, `none` for nothing."""
    doses = [dose for dose in doses if dose.level != 0]
    quantizer = next((change for change in changes if change.quantizer), None)
    if doses and doses[0].quantizer and quantizer:  # the name gives the bits of the argument
        doses, changes = [], [
            change._replace(level=doses[0].level) if change is quantizer else change
            for change in changes
        ]  # fmt: skip
    done = doses + changes
    if len(done) == 1:
        return done[0].recipe, done[0].level
    swept = doses[0].level if doses else None
    words = [dose.recipe for dose in doses] + [change.label for change in changes]
    return " + ".join(words) or "none", swept


def _matched(match: re.Match[str], words: str) -> Dose:
    if match["bits"]:
        return Dose("quantized", float(match["bits"]), True)
    method = (match["method"] or match["part"] or "compressed").lower()
    if method.startswith(("prun", "spars")) and method != "sparsegpt":
        method = "compressed"
    number = next(n for n in match.group("number", "share", "hundredth", "percent") if n)
    percent = bool(match["sign"] or match["hundredth"] or match["percent"])
    return Dose(method, _fraction(float(number), percent, words))


def _sparsity(text: str, words: str) -> Dose:
    """A sparsity as model_args give it: a fraction, percent, or a pattern like 2:4."""
    if re.fullmatch(r"\d+:\d+", text.strip()):
        return Dose(f"compressed {text.strip()}", None)
    try:
        number = float(text.strip().rstrip("%"))
    except ValueError:
        raise RequestError(
            f"{words}: sparsity {text!r} is no number: write the plain format."
        ) from None
    return Dose("compressed", _fraction(number, text.strip().endswith("%"), words))


def _fraction(number: float, percent: bool, words: str) -> float:
    """A fraction removed; a bare number above 1 is percent, and 1 could be either."""
    level = number / 100 if percent or number > 1 else number
    if not 0 <= level < 1:
        raise RequestError(
            f"{words}: {number:g}{' %' if percent else ''} removed is no level: give a fraction "
            "below 1, 0.5 for 50 %."
        )
    return level
