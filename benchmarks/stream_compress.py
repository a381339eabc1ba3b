"""Global 50 % pruning of a 7B-shaped checkpoint, streamed, beside a plain file copy.

python benchmarks/stream_compress.py [--json] [--quick] [--blocks N]

Makes a random bf16 checkpoint with Mistral-7B's shapes (32 blocks, 14.5 GB; fewer with --blocks
where disk is short, 0 for none) and prunes it with `resect compress` in a fresh process, whose
anonymous memory (RssAnon) is sampled. Then a slice of at most 4 GB, once cached, is compressed and
copied in turn: `ratio` is the copy's time over ours (above 1 would be faster than the copy).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import _machine as machine
import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer, MistralConfig

from resect import clinic

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


def compress(source: Path, out: Path) -> tuple[float, int]:
    """(seconds, peak anonymous memory in bytes) of the command in a process of its own."""
    clean(out)
    command = [sys.executable, "-m", "resect.cli", "compress", str(source), "--quiet"]
    command += ["--step", "magnitude:0.5,scope=global", "--out", str(out)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0

    def sample() -> None:
        nonlocal peak
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
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


def copy(source: Path, out: Path) -> float:
    """Seconds of a plain copy."""
    clean(out)
    started = time.perf_counter()
    shutil.copytree(source, out)
    return time.perf_counter() - started


def clean(out: Path) -> None:
    """Remove what an earlier run left and flush the disk: its writes must not slow the next."""
    shutil.rmtree(out, ignore_errors=True)
    os.sync()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--blocks", type=int, default=32)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        whole = {}
        if not asked.quick and asked.blocks:
            source = make(folder / "whole", asked.blocks)
            taken, peak = compress(source, folder / "out")
            gigabytes = size(source) / 1e9
            whole = {
                "gigabytes": round(gigabytes, 2),
                "blocks": asked.blocks,
                "seconds": round(taken, 1),
                "gigabytes_per_second": round(gigabytes / taken, 3),
                "peak_anonymous_gigabytes": round(peak / 1e9, 3),
            }
            shutil.rmtree(source)
        part = make(folder / "slice", 1 if asked.quick else 6)
        copy(part, folder / "copy")  # cached from here on
        ours = min(compress(part, folder / "out")[0] for _ in range(2))
        plain = min(copy(part, folder / "copy") for _ in range(2))
        started = machine.seconds(
            lambda: subprocess.run(
                [sys.executable, "-c", "import resect.compression"], check=True
            ), 1,
        )  # fmt: skip
        result = {
            "name": "stream_compress",
            "ratio": round(plain / (ours - started), 3),
            "peer": "shutil.copytree of the same files, cached",
            "slice_gigabytes": round(size(part) / 1e9, 2),
            "slice_seconds": round(ours, 2),
            "of_which_imports": round(started, 2),
            "copy_seconds": round(plain, 2),
            "whole": whole or None,
        }
    machine.show(result, asked.json)


if __name__ == "__main__":
    main()
