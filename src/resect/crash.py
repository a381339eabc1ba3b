"""What nobody foresaw, as one sentence: the traceback goes to a file."""

from __future__ import annotations

import tempfile
import traceback


def sentence(error: BaseException) -> str:
    """The sentence of an error that nobody foresaw; the traceback goes to a file."""
    what = f"{type(error).__name__}: {error}"[:300]
    if "out of memory" in str(error):
        return f"{what}. Stored results are kept."
    text = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="resect-crash-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        where = f"details are in {file.name}"
    except OSError:
        where = "the details could not be written"
    return f"this is a fault of resect ({what}); {where}. Stored results are kept."
