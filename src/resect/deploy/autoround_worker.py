"""A process of its own in which auto-round quantizes a model, as the library patches transformers.

The folder that it is given holds `plain/` (the model), `text.safetensors` (token ids) and
`asked.json`; `packed/` is what it leaves there.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

from resect.deploy.server_process import end_with_parent

ASKED, PLAIN, PACKED, TEXT, IDS = "asked.json", "plain", "packed", "text.safetensors", "ids"
_BATCH = 8  # windows that are tuned on together, auto-round's own number


def main(folder: Path) -> None:
    """Quantize what the folder holds."""
    end_with_parent()
    asked: dict[str, Any] = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    import torch
    from auto_round import AutoRound
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ids, dtype = load_file(folder / TEXT)[IDS].long(), getattr(torch, asked["dtype"])
    model = AutoModelForCausalLM.from_pretrained(folder / PLAIN, dtype=dtype)
    gc.freeze()  # it collects garbage after each module, which took most of a small model's time
    quantizer = AutoRound(
        model,
        AutoTokenizer.from_pretrained(folder / PLAIN),  # it wants one, though ids are given
        bits=asked["bits"],
        group_size=asked["group"],
        sym=True,
        iters=asked["iters"],
        seed=asked["seed"],
        dataset=[_read(batch) for batch in ids.split(_BATCH)],
        nsamples=len(ids),
        seqlen=ids.shape[1],
        batch_size=min(_BATCH, len(ids)),
        device_map=asked["device"],
        amp=asked["device"] != "cpu",  # in 32 bits on any CPU, with the same result
        scale_dtype=dtype,
        enable_torch_compile=False,
        trust_remote_code=False,
    )
    quantizer.quantize_and_save(str(folder / PACKED), format="llm_compressor")
    for path in (folder / PACKED).rglob("*.safetensors"):
        _hold_in_(path, dtype)
    for path in (folder / PACKED).rglob("config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**config, "dtype": asked["dtype"]}, indent=2), encoding="utf-8")


def _hold_in_(path: Path, dtype: Any) -> None:
    """Write the floats of a file again, in a type: auto-round computed in another."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    cast = {n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}
    save_file(cast, path, metadata={"format": "pt"})


def _read(ids: Any) -> dict[str, Any]:
    """A batch as the model reads it: whole windows, without padding."""
    return {"input_ids": ids, "attention_mask": ids.new_ones(ids.shape)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
