"""A delivered service under load, by hand: `python tests/integration/service_load.py URL IMAGE`.

So many connections at once send an image again and again for a time; one request of twenty is bad. Every
answer is looked at: a good request has to be answered with what is expected, or be refused for want of room
(429, 503), a bad one has to be refused as what it is. Prints counts, requests a second, and latencies as the
clients see them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from time import monotonic, perf_counter

import httpx

BAD_SHARE = 0.05
BAD = ((b"no image", {422}), (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, {422}), (b"", {400, 422}))
NO_ROOM = {429, 503}


@dataclass
class Seen:
    """What has come back so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    good_ms: list[float] = field(default_factory=list)


async def client(
    http: httpx.AsyncClient, url: str, image: bytes, expect: str, end: float, seen: Seen
) -> None:
    """Send requests one after the other until the time is over."""
    chance = random.Random(id(asyncio.current_task()))
    while monotonic() < end:
        body, allowed = (image, {200}) if chance.random() >= BAD_SHARE else chance.choice(BAD)
        started = perf_counter()
        try:
            answer = await http.post(url, content=body)
        except httpx.HTTPError as error:
            seen.wrong.append(f"{type(error).__name__}: {error}")
            continue
        seen.statuses[answer.status_code] += 1
        if answer.status_code not in allowed | NO_ROOM:
            seen.wrong.append(f"{answer.status_code} for {body[:20]!r}")
        elif answer.status_code == 200:
            seen.good_ms.append(1000 * (perf_counter() - started))
            if expect not in answer.text:
                seen.wrong.append(f"another answer: {answer.text[:200]}")


async def load(url: str, image: bytes, expect: str, connections: int, seconds: float) -> Seen:
    """Send requests over so many connections at once for a time; return what has come back."""
    seen = Seen()
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(limits=limits, timeout=60) as http:
        end = monotonic() + seconds
        work = (client(http, url, image, expect, end, seen) for _ in range(connections))
        await asyncio.gather(*work)
    return seen


async def run(asked: argparse.Namespace) -> dict[str, object]:
    image = Path(asked.image).read_bytes()
    seen = await load(asked.url, image, asked.expect, asked.connections, asked.seconds)
    cuts = quantiles(seen.good_ms, n=100)
    return {
        "requests": sum(seen.statuses.values()),
        "statuses": dict(sorted(seen.statuses.items())),
        "wrong": len(seen.wrong),
        "first_wrong": seen.wrong[:3],
        "good_per_s": round(len(seen.good_ms) / asked.seconds, 1),
        "p50_ms": round(median(seen.good_ms), 2),
        "p99_ms": round(cuts[98], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("url")
    parser.add_argument("image")
    parser.add_argument("--expect", default="", help="text that a good answer holds")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0)
    print(json.dumps(asyncio.run(run(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
