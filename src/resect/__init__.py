"""resect: how far can a medical language model be compressed before its answers get worse?

Everything here is loaded on first use, so `import resect` is fast and reading a finished run never
loads torch.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resect.api import choose, compress, run
    from resect.diff.same_summary import same_summary
    from resect.running.folder import Run
    from resect.spec import Recipe, Step, Study

_WHERE = {
    "Run": "resect.running.folder",
    "Step": "resect.spec",
    "Study": "resect.spec",
    "Recipe": "resect.spec",
    "choose": "resect.api",
    "compress": "resect.api",
    "run": "resect.api",
    "same_summary": "resect.diff.same_summary",
}
_MODULES = ("parse",)

# Set before they are imported: what these libraries miss here does not concern most users.
for _library in ("torchao", "bitsandbytes", "torch.utils._pytree"):
    logging.getLogger(_library).setLevel(logging.ERROR)

__all__ = ["Recipe", "Run", "Step", "Study", "choose", "compress", "parse", "run", "same_summary"]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name in _MODULES:
        return import_module(f"resect.{name}")
    raise AttributeError(f"module 'resect' has no attribute {name!r}")
