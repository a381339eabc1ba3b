"""A fixed workload that measures memory and speed: on a GPU, or in a fresh process on the CPU.

A prompt of random tokens is read and answered greedily (time to the first token, seconds of an
answer, tokens per second), and eight prompts are read at once (prefill). A warm-up comes first; the
results are the median, the smallest and the largest of the repeats.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel

from resect.anatomy.stored import is_quantized
from resect.models import devices
from resect.models.library_patches import patch_after_load
from resect.models.scratch import Scratch
from resect.running.measure import fresh_process
from resect.running.measure.energy import counter

PROMPT, ANSWER, TOGETHER = 128, 32, 8
"""Tokens of the prompt, tokens of the answer, and prompts read at once."""
_UNCOUNTED = {
    # queries (B, H, T, D), keys and values, counted as torch does on other devices
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda q, k, v, *_, out_shape=None, **__: sdpa_flop_count(q, k, v)
    ),
    # rows (N, I) each with its group's matrix (G, I, O)
    torch.ops.aten._grouped_mm: (lambda a, b, *_, out_shape=None, **__: 2 * a[0] * a[1] * b[-1]),
}
REPEATS, ENOUGH = 5, 20.0
"""The most repeats, and the seconds after which no more start (there are at least two)."""


def measured(model: PreTrainedModel) -> dict[str, Any]:
    """Memory, speed, work and energy of a model under the workload (keys: docs/summary.md).

    A model on the CPU is measured in a fresh process, so that the peak is its own and not this
    program's. Raises `RunError` where that process fails.
    """
    if model.device.type != "cpu":
        places = devices.all_of(model)
        for place in places:
            torch.cuda.synchronize(place)
            torch.cuda.reset_peak_memory_stats(place)
        idle = sum(map(torch.cuda.memory_allocated, places))
        speed = run(model)
        peak = sum(map(torch.cuda.max_memory_allocated, places))
        return {**speed, "peak_memory": peak, "idle_memory": idle}
    with Scratch("measure") as folder:
        path = folder / "model"
        if is_quantized(model):  # some packed tensors cannot be pickled
            model.save_pretrained(path)
        else:
            torch.save(model, path)
        return fresh_process.measured(path, torch.get_num_threads())


@torch.inference_mode()
def run(model: PreTrainedModel) -> dict[str, Any]:
    """The workload's numbers, without memory."""
    text = model.config.get_text_config()
    vocabulary, room = text.vocab_size, getattr(text, "max_position_embeddings", None)
    prompt = PROMPT if room is None else min(PROMPT, room - ANSWER)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (TOGETHER, prompt), generator=generator).to(model.device)
    energy = counter(devices.all_of(model))
    first, answer, rest = [], [], []
    began, spent = time.perf_counter(), 0.0
    for number in range(REPEATS + 1):
        before = energy() if energy else 0.0
        seconds = _answer(model, ids[:1])
        if number:  # the first is the warm-up
            first.append(seconds[0])
            answer.append(sum(seconds))
            rest.append((ANSWER - 1) / seconds[1])
            spent += energy() - before if energy else 0.0
        if number >= 2 and time.perf_counter() - began > ENOUGH:
            break
    read = [_prefill(model, ids) for _ in range(len(answer) + 1)][1:]
    return {
        "prompt_tokens": prompt,
        "answer_tokens": ANSWER,
        "repeats": len(answer),
        "threads": torch.get_num_threads(),
        "time_to_first_token": _spread(first),
        "seconds_per_answer": _spread(answer),
        "tokens_per_second": _spread(rest),
        "prefill_tokens_per_second": _spread([ids.numel() / seconds for seconds in read]),
        "flops_per_token": _work(model, ids[:1]),
        "joules_per_answer": spent / len(answer) if energy else None,
    }


def _work(model: PreTrainedModel, ids: Tensor) -> float | None:
    """Floating-point operations per token of a prefill, two a multiply-add.

    None where weights are quantized: torch's counter does not know their kernels.
    """
    if is_quantized(model):
        return None
    with FlopCounterMode(display=False, custom_mapping=_UNCOUNTED) as counted:
        model(ids, use_cache=False, logits_to_keep=1)
    return float(counted.get_total_flops() / ids.shape[1])


def _answer(model: PreTrainedModel, ids: Tensor) -> tuple[float, float]:
    """Seconds to the first token, and seconds of the others."""
    began = _now(model)
    cache = DynamicCache(config=model.config)
    out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1].argmax(-1, keepdim=True)
    middle = _now(model)
    for _ in range(ANSWER - 1):
        out = model(token, past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
    return middle - began, _now(model) - middle


def _prefill(model: PreTrainedModel, ids: Tensor) -> float:
    began = _now(model)
    model(ids, use_cache=False, logits_to_keep=1)
    return _now(model) - began


def _now(model: PreTrainedModel) -> float:
    if model.device.type == "cuda":  # the first device finishes last: tokens are read there
        torch.cuda.synchronize(model.device)
    return time.perf_counter()


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _resident(field: str) -> int | None:
    """`VmRSS` or `VmHWM` of this process in bytes, None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith(field)]
    return int(values[0]) * 1024 if values else None


def of_saved(path: Path, threads: int) -> dict[str, Any]:
    """The numbers of a model that `measured` wrote, and the memory of this process."""
    idle = _resident("VmRSS")
    torch.set_num_threads(threads)
    if path.is_dir():
        model = patch_after_load(AutoModelForCausalLM.from_pretrained(path))
    else:
        model = torch.load(path, weights_only=False)  # written a moment ago
    return {**run(model), "peak_memory": _resident("VmHWM"), "idle_memory": idle}
