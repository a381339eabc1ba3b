"""The tree of docs/architecture.md is the real tree, and links lead somewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import tree


def test_the_tree_is_the_real_tree():
    text = tree.PAGE.read_text()
    shown = text.split(tree.START)[1].split(tree.END)[0]
    assert shown == tree.tree(), "run python docs/tree.py"


def test_every_file_says_its_purpose_in_a_line():
    for line in tree.tree().splitlines():
        if not line.rstrip().endswith("/"):
            name, _, purpose = line.strip().partition(" ")
            assert 8 < len(purpose.strip()) < 110, f"{name}: {purpose!r}"


def test_links_lead_somewhere():
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"
