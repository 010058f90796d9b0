"""The documents as a site."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from dockyard.docs_site import PYTHON, build_site

FETCHED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed|object)\b[^>]*?\b(?:src|data)=[\"']?(?:https?:)?//[^>]*"
    r"|<link\b[^>]*?\bhref=[\"']?(?:https?:)?//[^>]*"
    r"|(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)]*"
)
"""What a browser gets from another host without being asked."""


@pytest.mark.skipif(sys.version_info < PYTHON, reason="Material takes a newer Python")
def test_the_site_is_whole_and_needs_no_network(tmp_path: Path) -> None:
    """Every document becomes a page whose links lead somewhere, and no page or style fetches anything from
    another host.
    """
    told: list[str] = []
    build_site(tmp_path, told.append)
    for page in ("index.html", "docs/tutorial/index.html", "docs/how-to/index.html", "results/report.html"):
        assert (tmp_path / page).is_file(), told
    assert "| --- |" not in (tmp_path / "results" / "report" / "index.html").read_text(), (
        "folded tables are tables"
    )
    fetched = []
    for path in [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]:
        fetched += [(path.name, match) for match in FETCHED.findall(path.read_text(encoding="utf-8"))]
    assert fetched == []
