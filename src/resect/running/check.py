"""`resect check`: a run against a policy, for the CI of people who publish models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pydantic import TypeAdapter, ValidationError

from resect.errors import RequestError
from resect.findings.policy import Condition, Policy, conditions
from resect.report.cleaner import plain
from resect.running.folder import Run
from resect.spec import yaml_text


def policy_from(path: Path | None) -> Policy:
    """The policy of a YAML file; the usual one without a file. Raises `RequestError`."""
    if path is None:
        return Policy()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"the policy {path} cannot be read: {error}.") from None
    fields = yaml_text.load(text, str(path))
    if not isinstance(fields, dict):
        raise RequestError(f"the policy {path} is no mapping: write lines like margin: 0.05.")
    known = set(Policy.__dataclass_fields__)
    for name in fields:
        if name not in known:
            raise RequestError(f"the policy {path} has no field {name}: it can have "
                               f"{', '.join(sorted(known))}.")  # fmt: skip
    try:
        return TypeAdapter(Policy).validate_python(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"]))
        raise RequestError(f"the policy {path} is not valid at {where}: {fault['msg']}.") from None


def checked(path: Path, policy: Policy) -> list[Condition]:
    """The conditions of a policy for a run folder. Raises `RequestError` where there is no run."""
    return conditions(Run(path).findings(), policy)


def junit(rows: Sequence[Condition], name: str) -> str:
    """The conditions as JUnit XML, a test case each."""
    failures = sum(not row.holds for row in rows)
    suite = ElementTree.Element(
        "testsuite", name="resect check", tests=str(len(rows)), failures=str(failures)
    )
    for row in rows:
        case = ElementTree.SubElement(suite, "testcase", classname=plain(name), name=row.name)
        if not row.holds:
            ElementTree.SubElement(case, "failure", message=plain(row.text))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def shown(rows: Sequence[Condition]) -> str:
    """A line a condition."""
    width = max(len(row.name) for row in rows)
    return "\n".join(f"{'ok' if r.holds else 'NO':2}  {r.name:<{width}}  {r.text}" for r in rows)


def to_data(rows: Sequence[Condition]) -> dict[str, Any]:
    """The document of `resect check --json`."""
    return {
        "holds": all(row.holds for row in rows),
        "conditions": [row._asdict() for row in rows],
    }
