"""The deployed file: GGUF and W4A16 written and read, importance matrices, and servers to ask."""

from __future__ import annotations

from importlib.util import find_spec

from resect.errors import RequestError


def require(*packages: str, what: str = "GGUF files need") -> None:
    """Raise `RequestError` where a package of the extra `deploy` is not installed."""
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise RequestError(f"{what} {' and '.join(absent)}: pip install 'resect[deploy]'.")
