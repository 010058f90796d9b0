"""The receipt of a delivery: one statement that binds what is shipped to what was measured.

It is an in-toto statement (https://in-toto.io/Statement/v1) in a DSSE envelope, which other tools read, too;
signed with ed25519 where the user gives a key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.contract.errors import InputProblem

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
PREDICATE = "urn:dockyard:delivery:1"
"""What the predicate is: figures, versions and digests, as `predicate_of` has them."""

MAX_BYTES = 1 << 20
"""Of a receipt that is read."""


@dataclass(frozen=True)
class Receipt:
    """A receipt that was read.

    Attributes:
        subjects: SHA-256 of what it is about, by name.
        predicate: what it says of that.
        payload: the bytes that were signed.
        signatures: by the id of the key.
    """

    subjects: Mapping[str, str]
    predicate: Mapping[str, Any]
    payload: bytes
    signatures: Mapping[str, bytes]


def write_receipt(subjects: Mapping[str, str], predicate: Mapping[str, Any], key: Path | None) -> str:
    """Return a receipt as the text of its envelope.

    Args:
        subjects: SHA-256 by name.
        key: a private ed25519 key in PEM, without a password; None leaves it unsigned.

    Raises:
        InputProblem: the key cannot be used.
    """
    named = [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(subjects.items())]
    statement = {"_type": STATEMENT, "subject": named, "predicateType": PREDICATE, "predicate": predicate}
    payload = json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
    signatures = []
    if key is not None:
        private = _private_key(key)
        signature = private.sign(signed_bytes(payload))
        signatures.append({"keyid": key_id(private.public_key()), "sig": _text(signature)})
    envelope = {"payloadType": PAYLOAD, "payload": _text(payload), "signatures": signatures}
    return json.dumps(envelope, indent=2) + "\n"


def read_receipt(text: str, where: str) -> Receipt:
    """Read a receipt. Raises InputProblem where it is none."""
    try:
        if len(text) > MAX_BYTES:
            raise ValueError(f"{len(text)} characters")
        envelope: Any = json.loads(text)
        if envelope["payloadType"] != PAYLOAD:
            raise ValueError(f"its payload is {str(envelope['payloadType'])[:80]}")
        payload = base64.b64decode(envelope["payload"], validate=True)
        statement: Any = json.loads(payload)
        if (statement["_type"], statement["predicateType"]) != (STATEMENT, PREDICATE):
            raise ValueError("its statement is of another kind")
        subjects = {str(one["name"]): str(one["digest"]["sha256"]) for one in statement["subject"]}
        signatures = {}
        for one in envelope["signatures"]:
            signatures[str(one["keyid"])] = base64.b64decode(one["sig"], validate=True)
        return Receipt(subjects, dict(statement["predicate"]), payload, signatures)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"no receipt of a delivery ({type(error).__name__}: {str(error)[:150]})"
        raise InputProblem(what, where, "take the file as it was delivered") from None


def why_not_signed_by(receipt: Receipt, key: Path) -> str:
    """Return why a receipt is not signed by the owner of a public key; empty where it is.

    Args:
        key: a public ed25519 key in PEM.

    Raises:
        InputProblem: the key cannot be used.
    """
    public = _public_key(key)
    signature = receipt.signatures.get(key_id(public))
    if signature is None:
        others = ", ".join(receipt.signatures) or "nobody"
        return f"it is signed by {others}, not by {key_id(public)}"
    try:
        public.verify(signature, signed_bytes(receipt.payload))
    except InvalidSignature:
        return f"the signature of {key_id(public)} is not of this receipt"
    return ""


def signed_bytes(payload: bytes) -> bytes:
    """Return what is signed of a payload: DSSE's pre-authentication encoding."""
    kind = PAYLOAD.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def key_id(key: Ed25519PublicKey) -> str:
    """Return what stands for a key: the SHA-256 of its DER, which `openssl` gives, too."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def public_pem(key: Path) -> bytes:
    """Return the public half of a private key, PEM. Raises InputProblem."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _private_key(key).public_key().public_bytes(serialization.Encoding.PEM, form)


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise InputProblem(f"the key cannot be read ({error.strerror})", str(path)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        advice = "make one: openssl genpkey -algorithm ed25519 -out key.pem"
        raise InputProblem("no private ed25519 key without a password", str(path), advice)
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise InputProblem(f"the key cannot be read ({error.strerror})", str(path)) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        advice = "give the public half: openssl pkey -in key.pem -pubout"
        raise InputProblem("no public ed25519 key", str(path), advice)
    return key


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
