"""The names of what is read over a network, without the passwords in them."""

from __future__ import annotations

import re

from shared.contract.streaming import is_address

HIDDEN = "***"

_SIGN_IN = re.compile(r"(?<=://).*@", re.DOTALL)
"""Up to the last @: a password may hold one, or a slash, that nobody has escaped."""

_SECRET = re.compile(
    r"(\b|_)(user|username|usr|login|pass|passwd|password|passphrase|pwd|psw|pw|token|auth|key|secret|sig"
    r"|signature|credential|session|sid)=[^&;_/]*",
    re.IGNORECASE,
)
"""What many cameras take in the rest of an address: `/user=admin_password=..._channel=1`, `?token=...`."""


def without_password(address: str) -> str:
    """Return an address with `***` in the place of users, passwords and other secrets."""
    if not is_address(address):
        return address
    hidden = _SIGN_IN.sub(f"{HIDDEN}@", address, count=1)
    return _SECRET.sub(lambda found: f"{found[1]}{found[2]}={HIDDEN}", hidden)
