"""Read the offline files of a `data_dir`: gzip-compressed JSON Lines, one record a line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resect.errors import RequestError


def rows(data_dir: Path | None, name: str, needed: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Records of `data_dir/name`, each with the `needed` fields; one sentence where not."""
    if data_dir is None:
        raise RequestError(f"this task reads {name}: say where it lies with --data_dir.")
    path = data_dir / name
    if not path.is_file():
        raise RequestError(f"there is no {name} in {data_dir}: check --data_dir.")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                row = json.loads(line)
                lacking = [field for field in needed if field not in row]
                if lacking:
                    raise RequestError(f"{path} line {number} has no field {lacking[0]!r}.")
                yield row
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from None
