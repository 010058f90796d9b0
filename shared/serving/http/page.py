"""The page at /: one file, nothing from elsewhere, and a policy that allows no more."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Dict

PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")


def _hash_of(element: str) -> str:
    """Return the hash of the page's one script or style, as a policy names it."""
    inside = re.findall(f"<{element}>(.*?)</{element}>", PAGE, re.DOTALL)
    (text,) = inside
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


PAGE_HEADERS: Dict[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; "
        "img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
