"""Pruning of a 7B-shaped checkpoint to 50 %, streamed, beside a plain file copy.

python benchmarks/stream_compress.py [--json] [--quick] [--blocks N] [--folder DIR]

Makes a random bf16 checkpoint with Mistral-7B's shapes (32 blocks, 14.5 GB; fewer with --blocks
where disk is short, 0 for none) and prunes it with `resect compress`, global scope, in a fresh
process, whose anonymous memory (RssAnon) is sampled. Then a slice of at most 4 GB, once cached, is
copied and pruned in turn within this process, so that imports do not count (`command_seconds` is
the whole command on the slice, imports and all).

`ratio` is the copy's time over that of pruning with global scope, both up to the last write;
`ratio_layer` the same for layer scope, which reads once less. resect flushes what it wrote to the
disk before it gives it its name, a plain copy does not: `ratio_flushed` is with the flush in both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import _machine as machine
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, MistralConfig

from resect import clinic
from resect.models import checkpoint_files as checkpoint
from resect.models import scratch
from resect.running import compression
from resect.spec import ModelRef, Recipe

CHUNK = 1 << 26  # bytes of memory that are held and freed at once
SHAPES = {
    "self_attn.q_proj": (4096, 4096), "self_attn.k_proj": (1024, 4096),
    "self_attn.v_proj": (1024, 4096), "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (14336, 4096), "mlp.up_proj": (14336, 4096), "mlp.down_proj": (4096, 14336),
}  # fmt: skip


def make(folder: Path, blocks: int) -> Path:
    """A sharded checkpoint, four blocks a file."""
    config = MistralConfig(num_hidden_layers=blocks, num_key_value_heads=8, vocab_size=32000)
    config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(clinic.path("base")).save_pretrained(folder)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(14336 * 4096 + 4096, generator=generator).mul_(0.02).bfloat16()
    index: dict[str, str] = {}

    def tensor(shape: tuple[int, ...], shift: int) -> torch.Tensor:
        count = shape[0] * shape[1] if len(shape) == 2 else shape[0]
        return noise.roll(shift)[:count].view(shape).clone()

    def save(name: str, tensors: dict[str, torch.Tensor]) -> None:
        save_file(tensors, folder / name, metadata={"format": "pt"})
        index.update(dict.fromkeys(tensors, name))

    for start in range(0, blocks, 4):
        tensors = {}
        for block in range(start, min(start + 4, blocks)):
            stem = f"model.layers.{block}"
            for number, (name, shape) in enumerate(SHAPES.items()):
                tensors[f"{stem}.{name}.weight"] = tensor(shape, 97 * block + number)
            for name in ("input_layernorm", "post_attention_layernorm"):
                tensors[f"{stem}.{name}.weight"] = torch.ones(4096).bfloat16()
        save(f"model-{start // 4 + 1:05d}.safetensors", tensors)
    ends = {"model.norm.weight": torch.ones(4096).bfloat16()}
    for number, name in enumerate(("model.embed_tokens.weight", "lm_head.weight")):
        ends[name] = tensor((14336, 4096), number).repeat(3, 1)[:32000]
    save("model-99999.safetensors", {k: v.contiguous() for k, v in ends.items()})
    text = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(text)
    return folder


def command(source: Path, out: Path) -> tuple[float, int]:
    """Seconds and peak anonymous memory, in bytes, of `resect compress` in a process of its own."""
    clean(out, source)
    command = [sys.executable, "-m", "resect.cli", "compress", str(source), "--quiet"]
    command += ["--step", "magnitude:0.5,scope=global", "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0

    def sample() -> None:
        nonlocal peak
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            with contextlib.suppress(OSError):  # it ended just now
                for line in status.read_text().splitlines():
                    if line.startswith("RssAnon"):
                        peak = max(peak, int(line.split()[1]) * 1024)
            time.sleep(0.02)

    watcher = threading.Thread(target=sample)
    watcher.start()
    process.wait()
    watcher.join()
    if process.returncode:
        sys.exit(f"compress ended with {process.returncode}")
    return time.perf_counter() - started, peak


def prune(source: Path, out: Path, scope: str) -> tuple[float, float]:
    """Seconds of pruning in this process, and of the flush to the disk after it."""
    held = clean(out, source)
    flushing = 0.0
    put, flush = checkpoint.Writer.put, scratch.to_disk

    def free(writer: checkpoint.Writer, name: str, parts: Any) -> None:
        del held[: 1 + writer.source.entries[name].size // CHUNK]
        put(writer, name, parts)

    def timed(path: Path) -> None:
        nonlocal flushing
        flushing += machine.seconds(lambda: flush(path), 1)

    recipe = Recipe.of(steps=f"magnitude:0.5,scope={scope}")
    ref = ModelRef(role="model", id=str(source))
    putting = mock.patch.object(checkpoint.Writer, "put", free)
    with putting, mock.patch.object(scratch, "to_disk", timed):
        taken = machine.seconds(lambda: compression.compress_to(ref, recipe, out), 1)
    return taken - flushing, flushing


def copy(source: Path, out: Path) -> tuple[float, float]:
    """Seconds of a plain copy, and of a flush to the disk after it."""
    clean(out, source)
    taken = machine.seconds(lambda: shutil.copytree(source, out), 1)
    paths = [*out.iterdir(), out, out.parent]
    return taken, machine.seconds(lambda: [scratch.to_disk(path) for path in paths], 1)


def clean(out: Path, source: Path) -> list[npt.NDArray[np.uint8]]:
    """Remove what an earlier run left and flush the disk: its writes must not slow the next.

    What comes back is memory for a slice's pages, to be freed as they are written. A virtual
    machine hands memory that is free back to its host within seconds, and getting it again can
    take ten times as long as the copy.
    """
    shutil.rmtree(out, ignore_errors=True)
    os.sync()
    held = [np.empty(CHUNK, dtype=np.uint8) for _ in range(min(size(source), 4 << 30) // CHUNK)]
    for chunk in held:
        chunk[::4096] = 1
    return held


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def whole(folder: Path, blocks: int) -> dict[str, Any]:
    """The command on the whole checkpoint: time, throughput and peak memory."""
    source = make(folder / "whole", blocks)
    taken, peak = command(source, folder / "out")
    gigabytes = size(source) / 1e9
    shutil.rmtree(source)
    return {
        "gigabytes": round(gigabytes, 2),
        "blocks": blocks,
        "seconds": round(taken, 1),
        "gigabytes_per_second": round(gigabytes / taken, 3),
        "peak_anonymous_gigabytes": round(peak / 1e9, 3),
    }


def sliced(folder: Path, blocks: int, repeats: int) -> dict[str, Any]:
    """A cached slice, copied and pruned in turn; the least disturbed run of each counts."""
    part = make(folder / "slice", blocks)
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "copy": lambda: copy(part, folder / "copy"),
        "global": lambda: prune(part, folder / "out", "global"),
        "layer": lambda: prune(part, folder / "out", "layer"),
    }
    ways["copy"]()  # cached from here on
    runs = [{name: way() for name, way in ways.items()} for _ in range(repeats)]
    plain = {name: min(run[name][0] for run in runs) for name in ways}
    flushed = {name: min(sum(run[name]) for run in runs) for name in ways}
    taken, peak = command(part, folder / "out")
    gigabytes = size(part) / 1e9
    return {
        "ratio": round(plain["copy"] / plain["global"], 3),
        "ratio_layer": round(plain["copy"] / plain["layer"], 3),
        "ratio_flushed": round(flushed["copy"] / flushed["global"], 3),
        "peer": "shutil.copytree of the same files, cached",
        "slice_gigabytes": round(gigabytes, 2),
        "seconds": {name: round(found, 2) for name, found in plain.items()},
        "seconds_flushed": {name: round(found, 2) for name, found in flushed.items()},
        "gigabytes_per_second": {n: round(gigabytes / found, 2) for n, found in plain.items()},
        "command_seconds": round(taken, 2),
        "command_peak_anonymous_gigabytes": round(peak / 1e9, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--blocks", type=int, default=32)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        found = sliced(folder, 1 if asked.quick else 6, 2 if asked.quick else 4)
        shutil.rmtree(folder / "slice")
        full = whole(folder, asked.blocks) if asked.blocks and not asked.quick else None
    machine.show({"name": "stream_compress", **found, "whole": full}, asked.json)


if __name__ == "__main__":
    main()
