"""Damage recorded answers of every format, and count what `resect audit` makes of them.

Every trial changes one sample folder (lm-eval, plain JSON Lines and CSV, an export, the published
study's CSV) in one place: a value of JSON, a cell, bytes, an end that is missing, a file's name. It
must be read or refused in a sentence: tracebacks and reads that take long are failures.

    python tools/fuzz/recorded.py --trials 100000
    python tools/fuzz/recorded.py --trials 200 --audit
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from resect.errors import RequestError, RunError
from resect.record import TaskInfo
from resect.recorded import audit, fill, get, recognise
from tools.fuzz.trial import changed

TIME = "2024-01-01T00-00-00.000000"
SAMPLES_MC = f"samples_mc_{TIME}.jsonl"
SLOW = 5.0
"""Seconds of computing after which a trial is a failure."""

Files = dict[str, bytes]

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 2, 7.5, 1e308, float("nan"), float("inf"), -float("inf"), 10**400,
    10**4000, 2**63, "", " ", "x", "yes", "[", "{", "[1]", '["a"]', "[[" * 300, "{}", "nan",
    "1e400", "-0", "\x00", "\u202e\x1b[31m", "a|b", "x" * 5000, "-" * 5000, "9" * 5000, [], {},
    [[]], [None], [[None]], {"": None}, {"a": {"b": []}}, ["a", "a"], [0.5, "x"], {"arg_0": 1},
    [f"L{n}" for n in range(300)], {f"k{n}": n for n in range(200)},
)  # fmt: skip


class Trial(NamedTuple):
    """One damage and what came of it: `read`, `sentence`, `traceback` or `slow`."""

    sample: str
    kind: str
    outcome: str
    message: str


def lines(rows: list[dict[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def plain_rows() -> list[dict[str, Any]]:
    """Two models at two levels on four questions, in both views."""
    return [
        {"model": model, "role": role, "recipe": "cut", "level": level, "task": "t",
         "item": f"q{n}", "gold": ("yes", "no")[n % 2], "text": ("yes", "no")[n % 3 % 2],
         "labels": ["yes", "no"], "option_scores": [-1.0, -0.5 * n], "choices": [" yes", " no"],
         "options": {"yes": "it is", "no": "it is not"}, "tags": {"subject": "s"}, "score": 1,
         "means": {}, "prompt": f"p{n}", "question": f"q{n}", "stopped": "eos", "scored": "text",
         "recorded": "yes"}
        for model, role in (("m", "specialist"), ("b", "base"))
        for level in (0, 0.5)
        for n in range(4)
    ]  # fmt: skip


def lm_eval() -> Files:
    """Two folders of lm-eval's, one multiple-choice and one generative task."""
    files: Files = {}
    for model in ("M", "M-wanda-0.5"):
        choice = [
            {"doc_id": n, "doc": {"question": "?"}, "target": str(n % 2), "filter": "none",
             "arguments": {f"gen_args_{i}": {"arg_0": "c", "arg_1": f" {x}"}
                           for i, x in enumerate("ab")},
             "resps": [[["-1.0", "False"]], [["-2.0", "False"]]], "metrics": ["acc"], "acc": 1.0,
             "filtered_resps": [["-1.0", "False"]]}
            for n in range(3)
        ]  # fmt: skip
        text = [
            {"doc_id": n, "doc": {"question": "?"}, "target": "yes", "resps": [["yes"]],
             "arguments": [["c", {"until": ["\n"]}]], "filtered_resps": ["yes"], "filter": "none",
             "metrics": ["exact_match"], "exact_match": 1.0}
            for n in range(3)
        ]  # fmt: skip
        results = {
            "config": {"model_args": f"pretrained=o/{model},dtype=float32"}, "model_name": model,
            "configs": {"mc": {"target_delimiter": " ", "metadata": {"version": 1.0}}, "gen": {}},
            "results": {"mc": {"acc,none": 1.0, "alias": "mc"}, "gen": {}},
        }  # fmt: skip
        files[f"{model}/{SAMPLES_MC}"] = lines(choice)
        files[f"{model}/samples_gen_{TIME}.jsonl"] = lines(text)
        files[f"{model}/results_{TIME}.json"] = json.dumps(results).encode()
    return files


def exported() -> Files:
    """One folder as `resect export --to lm-eval` writes it."""
    info = TaskInfo("t", "label", ("yes", "no"), "a task", "how it is asked", 5, reader="label")
    document = {
        "id": "q", "question": "?", "context": "", "gold": "yes", "labels": ["yes", "no"],
        "options": None, "choices": [" yes", " no"], "means": {}, "parent": None, "variant": None,
        "tags": {}, "recorded": None, "score": 1.0, "stopped": "eos",
    }  # fmt: skip
    rows = [
        {"doc_id": n, "doc": {**document, "id": f"q{n}"}, "target": "yes", "resps": [["yes"]],
         "arguments": {"gen_args_0": {"arg_0": "p", "arg_1": {}}}, "filtered_resps": ["yes"],
         "filter": "none", "metrics": ["exact_match"], "exact_match": 1.0}
        for n in range(3)
    ]  # fmt: skip
    subject = {"model": "m", "id": "o/m", "role": "base", "recipe": "none", "level": 0.0}
    results = {
        "config": {"model_args": {"pretrained": "o/m"}, "resect": subject}, "model_name": "o/m",
        "configs": {"t": {"metadata": {"resect": {"info": asdict(info)}}}}, "results": {},
    }  # fmt: skip
    document = json.dumps(results).encode()
    return {f"m/samples_t_{TIME}.jsonl": lines(rows), f"m/results_{TIME}.json": document}


def tables() -> Files:
    """A CSV as `resect export --to csv` writes it, with what its tasks are."""
    info = TaskInfo("t", "label", ("yes", "no"), "a task", "how it is asked", 5, reader="label")
    head = "model,role,recipe,level,task,item,gold,text,labels,option_scores,guarded\n"
    row = 'm,base,none,0,t,q{n},yes,"\'=yes",yes|no,"[-1.0, -2.0]",text\n'
    answers = head + "".join(row.format(n=n) for n in range(4))
    return {
        "answers.csv": answers.encode(),
        "answers.tasks.json": json.dumps({"t": asdict(info)}).encode(),
    }


def published() -> Files:
    """Files in the layout of the published study."""
    head, prompt = "prompt,true_answer,raw_response,parsed_guess,subject\n", "Question: q{n}?\n"
    row = f'"{prompt}Options:\nA. a\nB. b\nC. c\nD. d\nAnswer:",A,A,A,anatomy\n'
    text = head + "".join(row.format(n=n) for n in range(4))
    return {f"org_{m}_mmlu_{p}_percent.csv": text.encode() for m in "MN" for p in (0, 50)}


SAMPLES: dict[str, Callable[[], Files]] = {
    "lm-eval": lm_eval,
    "exported": exported,
    "plain": lambda: {"a.jsonl": lines(plain_rows())},
    "tables": tables,
    "published": published,
}


def with_sample(**fields: Any) -> Files:
    """One line of lm-eval's multiple-choice samples with other fields."""
    row = json.loads(lm_eval()[f"M/{SAMPLES_MC}"].splitlines()[0])
    return {SAMPLES_MC: lines([{**row, **fields}])}


def with_results(**fields: Any) -> Files:
    """One folder of lm-eval's whose results file has other fields."""
    table = json.loads(lm_eval()[f"M/results_{TIME}.json"])
    results = json.dumps({**table, **fields}).encode()
    return {**with_sample(), f"results_{TIME}.json": results}


def with_row(**fields: Any) -> Files:
    """A plain file of which one row has other fields."""
    first, *rest = plain_rows()
    return {"a.jsonl": lines([{**first, **fields}, *rest])}


def labelled(count: int, apart: bool) -> Files:
    """Answers to a task with many labels: all in every row, or each in a row of its own."""
    labels = [f"ICD{n}" for n in range(count)]
    rows = [
        {"model": "m", "task": "t", "item": f"q{n}", "gold": label, "text": label,
         "labels": [label, "none"] if apart else labels}
        for n, label in enumerate(labels)
    ]  # fmt: skip
    return {"a.jsonl": lines(rows)}


def apart() -> Files:
    """Two models of which each was asked other questions, all with one label."""
    rows = [
        {"model": m, "task": "t", "item": f"{m}{n}", "gold": "yes", "text": "yes",
         "labels": ["yes"]}
        for m in "ab" for n in range(3)
    ]  # fmt: skip
    return {"a.jsonl": lines(rows)}


GOLDEN: dict[str, tuple[Files, str]] = {
    "document number is a list": (with_sample(doc_id=[1]), "sentence"),
    "document is null": (with_sample(doc=None), "read"),
    "no answers": (with_sample(resps=[]), "sentence"),
    "answers of words": (with_sample(resps=[["a", "b"]]), "read"),
    "metrics is a number": (with_sample(metrics=1), "sentence"),
    "no requests": (with_sample(arguments={}), "sentence"),
    "a target of 5,000 digits": (with_sample(target="9" * 5000), "sentence"),
    "a target that nests": (with_sample(target="[" * 9000), "sentence"),
    "a stated score of 400 digits": (with_results(results={"mc": {"acc,none": 10**400}}), "read"),
    "a task's configuration is a number": (with_results(configs={"mc": 5}), "sentence"),
    "a task's scores are a list": (with_results(results={"mc": [1]}), "read"),
    "a list as delimiter": (with_results(configs={"mc": {"target_delimiter": [1]}}), "sentence"),
    "a name of 100,000 dashes": (
        with_results(config={"model_args": {"pretrained": "-" * 100_000}}), "sentence"
    ),
    "a list as arguments": (with_results(config={"model_args": ["a"]}), "sentence"),
    "a subject that is a list": (with_results(config={"resect": [1]}), "sentence"),
    "a level that is a text": (
        with_results(config={"resect": {"model": "m", "id": "m", "role": None, "recipe": "x",
                                        "level": "half"}}), "sentence"
    ),
    "a line that nests": ({"a.jsonl": b"[" * 200_000}, "sentence"),
    "options that nest": (with_row(options="[" * 200_000), "sentence"),
    "a results file that nests": (
        {**with_sample(), f"results_{TIME}.json": b'{"a":' * 200_000},
        "sentence",
    ),
    "tasks that nest": ({**tables(), "answers.tasks.json": b"[" * 200_000}, "sentence"),
    "a number of 5,000 digits": ({"a.jsonl": b'{"level": ' + b"9" * 5000 + b"}"}, "sentence"),
    "a level of 1e400": (with_row(level="1e400"), "sentence"),
    "a level below 0": (with_row(level=-1), "sentence"),
    "300 labels in every row": (labelled(300, apart=False), "sentence"),
    "300 labels in as many rows": (labelled(300, apart=True), "sentence"),
    "100 labels": (labelled(100, apart=False), "audited"),
    "one label, and no item in common": (apart(), "audited"),
    "levels a millionth apart": (
        {"a.jsonl": lines([{**row, "level": level, "recipe": "x"} for row in plain_rows()[:4]
                           for level in (0, 1e-6, 0.3, 0.5, 0.9, 0.999999)])}, "read"
    ),
    "a NUL in a CSV": ({"a.csv": b"model,text\nm,\0\n"}, "sentence"),
    "options that never end": (
        {"org_M_mmlu_0_percent.csv": b"prompt,true_answer,raw_response\n\"Options:\nA. a"
         + b"\nB. b" * 20_000 + b"\nC. c" * 20_000 + b"\",A,A\n"}, "read"
    ),
}  # fmt: skip
"""Failures of earlier versions and edges of the limits, each with its outcome; `audited` ones are
read, and the findings made of them too."""


def golden(name: str, place: Path) -> str:
    """The outcome of one golden case, whose files are written below `place`."""
    files, expected = GOLDEN[name]
    out = place / "out" if expected == "audited" else None
    result, message = outcome(put(place / "in", files), out)
    if result == "traceback":
        return f"{result}: {message}"
    return "audited" if out and result == "read" else result


def damaged(files: Files, dice: random.Random) -> tuple[str, Files]:
    """A copy of the files with one thing changed, and what kind of change that was."""
    files = dict(files)
    name = dice.choice(sorted(files))
    data = files[name]
    kind = dice.choice(("value", "value", "value", "bytes", "cut", "name"))
    if kind == "value":
        files[name] = _with_value(name, data, dice)
    elif kind == "cut":
        files[name] = data[: dice.randrange(len(data) + 1)]
    elif kind == "bytes":
        place = dice.randrange(len(data))
        new = bytes(dice.choices(range(256), k=dice.randrange(4)))
        files[name] = data[:place] + new + data[place + dice.randrange(4) :]
    else:
        del files[name]
        odd = ("{}.gz", "x_{}", "a b/{}", "{}.jsonl", "\u202e{}", "samples_{}_2024.jsonl")
        files[dice.choice(odd).format(name.rpartition("/")[2])] = data
    return kind, files


def _with_value(name: str, data: bytes, dice: random.Random) -> bytes:
    """The file with one value of JSON, or one cell of CSV, replaced or left out."""
    if name.endswith(".csv"):
        cells = data.decode().split(",")
        cells[dice.randrange(len(cells))] = str(dice.choice(HOSTILE))
        return ",".join(cells).encode()
    if name.endswith(".json"):
        return json.dumps(changed(json.loads(data), HOSTILE, dice)).encode()
    rows = data.decode().splitlines()
    place = dice.randrange(len(rows))
    rows[place] = json.dumps(changed(json.loads(rows[place]), HOSTILE, dice))
    return "\n".join(rows).encode()


def put(folder: Path, files: Files) -> Path:
    """Write the files below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def outcome(path: Path, out: Path | None = None) -> tuple[str, str]:
    """How reading `path` ended and what was said; with `out`, how a whole audit ended."""
    started = time.process_time()
    try:
        if out:
            audit(path, out)
        else:
            name = recognise(path)
            fill.fill(get(name).read(path), path, name, {})
    except (RequestError, RunError) as error:
        result = "sentence", str(error)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        result = "traceback", f"{type(error).__name__}: {error} ({last.name}, {last.lineno})"
    else:
        result = "read", ""
    slow = not out and time.process_time() - started > SLOW
    return ("slow", result[1]) if slow else result


def trials(count: int, seed: int, whole: bool = False) -> Iterator[Trial]:
    """Change the samples in turn, one place at a time; `whole`: audit what can be read."""
    dice = random.Random(seed)
    for number in range(count):
        sample = list(SAMPLES)[number % len(SAMPLES)]
        kind, files = damaged(SAMPLES[sample](), dice)
        with tempfile.TemporaryDirectory() as place:
            path = put(Path(place, "in"), files)
            result, message = outcome(path)
            if whole and result == "read":
                result, message = outcome(path, Path(place, "out"))
        yield Trial(sample, kind, result, message)


def _golden() -> int:
    """Print what golden cases came to otherwise than they should."""
    wrong = 0
    for name, (_, expected) in GOLDEN.items():
        with tempfile.TemporaryDirectory() as place:
            result = golden(name, Path(place))
        if result != expected:
            wrong += 1
            print(f"{name}: {result[:200]}, not {expected}")
    print(f"{wrong} of {len(GOLDEN)} golden cases failed")
    return int(bool(wrong))


def main() -> int:
    """Run the trials; exit code 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--golden", action="store_true", help="Only the golden cases.")
    parser.add_argument("--audit", action="store_true", help="Audit what can be read.")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    fill.RESAMPLES = 50
    if asked.golden:
        return _golden()
    started, counts, failures = time.time(), Counter(), Counter()
    for trial in trials(asked.trials, asked.seed, asked.audit):
        counts[trial.sample, trial.kind, trial.outcome] += 1
        if trial.outcome in ("traceback", "slow"):
            failures[trial.sample, trial.outcome, trial.message[:300]] += 1
    seconds = time.time() - started
    rows = [{"sample": s, "damage": k, "outcome": o, "count": n}
            for (s, k, o), n in sorted(counts.items())]  # fmt: skip
    if asked.json:
        print(json.dumps({"rows": rows, "failures": list(failures.items()), "seconds": seconds}))
        return int(bool(failures))
    for row in rows:
        print("{sample:10} {damage:6} {outcome:10} {count}".format(**row))
    for failure, count in failures.most_common(30):
        print("failed:", count, *failure)
    print(f"{failures.total()} failures of {asked.trials}, {seconds:.0f} s")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
