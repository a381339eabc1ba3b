"""`resect imatrix`: a model and a text to an importance matrix for llama.cpp's tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from resect.deploy import require
from resect.errors import RequestError
from resect.methods.step import Context
from resect.models import devices, loading, scratch
from resect.running.destination import destination
from resect.spec import Calibration, ModelRef


def imatrix_to(
    ref: ModelRef,
    text: Calibration,
    out: Path,
    *,
    device: str = "auto",
    data_dir: Path | None = None,
    notice: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the importance matrix of a model on a text to the file `out`; what it holds."""
    require("gguf", "libgguf")
    from resect.deploy import families, imatrix

    out = out.expanduser()
    if out.exists():
        raise RequestError(f"{out} is there already: give another --out, or remove it.")
    if not out.parent.is_dir():
        raise RequestError(f"there is no folder {out.parent}: make it, or give another --out.")
    destination(out.parent)
    empty = loading.check(ref).model
    families.of(empty.config)
    loaded = loading.load(ref, devices.fitting(devices.named(device), empty), notice)
    tokens = Context.of(loaded, ref, text, notice, data_dir).text
    assert tokens is not None, "a text was asked for"
    with loading.threads(loaded.model):
        sums = imatrix.gather(loaded.model, tokens)
    with scratch.under(out.absolute().parent), scratch.Scratch("imatrix") as folder:
        part = folder / out.name
        imatrix.write(part, sums, text.data, tokens)
        scratch.to_disk(part)
        part.replace(out)
    unseen = sum(int((sum_.counts == 0).sum()) for sum_ in sums.values())
    if unseen:
        notice(f"{unseen} matrices of experts had no token: give more text.")
    return {
        "source": ref.id,
        "calibration": text.model_dump(),
        "tensors": len(sums),
        "tokens": tokens.ids.numel(),
        "unseen": unseen,
        "bytes_on_disk": out.stat().st_size,
    }
