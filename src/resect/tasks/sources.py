"""The rows of a task: from an offline file, a hub dataset at a pinned revision, or either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from resect.errors import RequestError
from resect.tasks import hub, offline
from resect.tasks.contract import Source
from resect.tasks.offline import Kinds

Row = dict[str, Any]


class Origin(TypedDict):
    """Where a task's rows come from, as fields of its `TaskInfo`."""

    hub: str | None
    revision: str | None
    file: str


@dataclass(frozen=True)
class Rows:
    """`file` is the offline file, with these `fields`; a hub row becomes such a row by `convert`.

    `columns` are those a hub row must have, of these types. `convert` gets the row and its number
    in the split. Without a `hub` id the file is the only source.
    """

    file: str
    fields: Kinds
    hub: str | None = None
    config: str | None = None
    split: str = "test"
    revision: str | None = None
    columns: Kinds = field(default_factory=dict)
    convert: Callable[[Mapping[str, Any], int], Row] | None = None

    @property
    def origin(self) -> Origin:
        """Hub id, revision and offline file."""
        return {"hub": self.hub, "revision": self.revision, "file": self.file}

    def read(self, source: Source) -> Iterator[Row]:
        """Rows in the layout of the file, from `source.data_dir` if given, else from the hub.

        Raises `RequestError`, one sentence, where they cannot be had or lack a field.
        """
        if source.data_dir is not None or self.hub is None or self.convert is None:
            yield from offline.rows(source.data_dir, self.file, self.fields)
            return
        for number, row in enumerate(hub.rows(self.hub, self.config, self.split, self.revision)):
            for name, kind in self.columns.items():
                if not isinstance(row.get(name), kind):
                    raise RequestError(
                        f"{self.hub} row {number} has no usable column {name!r}: the layout of the "
                        "dataset has changed. Give offline files with --data_dir."
                    )
            yield self.convert(row, number)
