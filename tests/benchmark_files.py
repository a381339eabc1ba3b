"""Where the real benchmark files are: `RESECT_DATA`, or the folder beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("RESECT_DATA") or Path(__file__).parents[2] / "shared" / "data")
NO_DATA = f"the benchmark files are not at {DATA}"
