"""YAML of others as plain data: within limits of size and depth, each fault one sentence.

An alias counts as all that it stands for, so that a few lines cannot stand for billions.
"""

from __future__ import annotations

from typing import Any

import yaml

from resect.errors import RequestError

LARGEST = 1 << 20
"""Bytes of a document at most."""

MOST = 100_000
"""Values of a document at most, with aliases written out."""

DEEPEST = 50


def load(text: str, name: str) -> Any:
    """What a YAML text says; `name` says in the sentence which text it is."""
    if len(text) > LARGEST:
        raise RequestError(f"{name} is longer than {LARGEST >> 20} MiB: split it.")
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
    except Exception as error:  # values that are no number, date or base64 raise many kinds
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    raise RequestError(f"{name} is not valid YAML: {why[:300].rstrip('.')}.") from None


class _Loader(yaml.SafeLoader):
    """Plain YAML that refuses a duplicate key, of which YAML itself would drop the first."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, counted with all that is below it."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._refused(f"it nests deeper than {DEEPEST} levels")
        node = super().compose_node(parent, index)
        assert node is not None, "an event begins a node"
        self.depth -= 1
        if id(node) not in self.sizes:
            parts = node.value if isinstance(node, yaml.CollectionNode) else []
            pairs = [part for pair in parts for part in pair] if _is_mapping(node) else parts
            self.sizes[id(node)] = 1 + sum(self._size(part) for part in pairs)
        if self._size(node) > MOST:
            raise self._refused(f"it holds more than {MOST:,} values")
        return node

    def _size(self, node: yaml.Node) -> int:
        if id(node) not in self.sizes:
            raise self._refused("an alias stands in what it stands for")
        return self.sizes[id(node)]

    def _refused(self, why: str) -> yaml.YAMLError:
        return yaml.MarkedYAMLError(None, None, why, self.get_mark())

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, each key once."""
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen and name != "<<":
                raise yaml.MarkedYAMLError(None, None, f"{name} is given twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _is_mapping(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode)
