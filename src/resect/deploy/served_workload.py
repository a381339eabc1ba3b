"""A fixed workload that measures memory and speed of a file in its server."""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import Any

from resect.deploy.deployed import Deployed
from resect.errors import RunError

PROMPT, ANSWER, REPEATS = 128, 32, 3
"""Tokens of the prompt and of the answer, as for a model in memory, and how often."""


def measured(file: Deployed, vocabulary: int) -> dict[str, Any]:
    """Speed by the server's own clock, one request at a time, and the peak of its process.

    A warm-up comes first. Raises `RunError` where the server fails.
    """
    client = file.connect(PROMPT + ANSWER + 1)
    draw = random.Random(0)
    clocks = []
    for _ in range(REPEATS + 1):
        ids = [draw.randrange(vocabulary) for _ in range(PROMPT)]
        asked = {"prompt": ids, "n_predict": ANSWER, "temperature": 0, "ignore_eos": True}
        told = client.post("/completion", {**asked, "cache_prompt": False, "id_slot": 0})
        clocks.append(told["timings"])
    del clocks[0]
    if any(clock["predicted_n"] < 1 or clock["prompt_n"] < 1 for clock in clocks):
        raise RunError("the workload could not be measured: the server wrote nothing")
    first = [clock["prompt_ms"] / 1000 for clock in clocks]
    return {
        "prompt_tokens": PROMPT,
        "answer_tokens": ANSWER,
        "repeats": REPEATS,
        "threads": file.threads,
        "time_to_first_token": _spread(first),
        "seconds_per_answer": _spread(
            [(clock["prompt_ms"] + clock["predicted_ms"]) / 1000 for clock in clocks]
        ),
        "tokens_per_second": _spread([clock["predicted_per_second"] for clock in clocks]),
        "prefill_tokens_per_second": _spread([clock["prompt_per_second"] for clock in clocks]),
        "flops_per_token": None,
        "joules_per_answer": None,
        "peak_memory": _peak(file.pid),
        "idle_memory": None,
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _peak(pid: int | None) -> int | None:
    """The most memory that a process held, in bytes; None where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(values[0]) * 1024 if values else None
