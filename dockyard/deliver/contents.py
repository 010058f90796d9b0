"""What is inside an image, asked of the image itself: its packages and licences, as a CycloneDX document."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from shared.contract.errors import JobFailed

ASK = """
import importlib.metadata, json, pathlib, re
found = []
for one in importlib.metadata.distributions():
    meta = one.metadata
    classified = [c.split(" :: ")[-1] for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    said = meta.get("License-Expression") or ", ".join(classified) or meta.get("License") or ""
    said = said.split("\\n")[0]
    found.append(["pypi", meta["Name"], one.version, said[:200]])
status = pathlib.Path("/var/lib/dpkg/status")
for block in status.read_text().split("\\n\\n") if status.is_file() else ():
    fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", block, re.MULTILINE))
    if fields.get("Status", "").endswith("installed"):
        found.append(["deb", fields["Package"], fields["Version"], ""])
print(json.dumps(found))
"""
"""A program for the image's Python, which needs nothing but that."""

BILL = "bill-of-materials.cdx.json"
"""The file of it, in a delivery's evidence."""

MOST = 5000
"""Packages of an image."""


@dataclass(frozen=True)
class Package:
    """A package that is inside.

    Attributes:
        kind: `pypi` or `deb`.
        licence: as the package says it; empty where it does not (Debian's are in /usr/share/doc/*/copyright).
    """

    kind: str
    name: str
    version: str
    licence: str


def read_packages(printed: str) -> list[Package]:
    """Return what ASK has printed, in order of their names. Raises JobFailed where it is something else."""
    try:
        rows: Any = json.loads(printed.strip().splitlines()[-1])
        found = {Package(*map(str, row)) for row in rows[:MOST]}
    except (ValueError, TypeError, IndexError) as error:
        raise JobFailed(f"the image does not say what is in it ({error})", "") from None
    return sorted(found, key=lambda one: (one.kind, one.name.lower(), one.version))


def bill_of_materials(packages: Sequence[Package], name: str, version: str) -> str:
    """Return packages as a CycloneDX document, JSON.

    Args:
        name, version: of what they are inside of.
    """
    bom = Bom()
    bom.metadata.component = Component(
        name=name, version=version, type=ComponentType.CONTAINER, bom_ref="image"
    )
    for one in packages:
        namespace = "debian" if one.kind == "deb" else None
        address = PackageURL(one.kind, namespace, one.name, one.version)
        bom.components.add(
            Component(
                name=one.name,
                version=one.version,
                type=ComponentType.LIBRARY,
                bom_ref=address.to_string(),
                purl=address,
                licenses=[DisjunctiveLicense(name=one.licence)] if one.licence else None,
            )
        )
    bom.register_dependency(bom.metadata.component, bom.components)
    document: Any = json.loads(JsonV1Dot6(bom).output_as_string())
    # What the library adds that would be another one each time: two deliveries of one record are the same.
    document.pop("serialNumber", None)
    document.get("metadata", {}).pop("timestamp", None)
    return json.dumps(document, indent=2) + "\n"
