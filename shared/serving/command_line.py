"""The commands of a delivered container; 0 is well, 1 not, 2 a call that was wrong."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Callable, Mapping, Sequence

from shared.contract.errors import DockyardError
from shared.inference.image_files import UnreadableImage
from shared.serving.delivered import TARGETS, Delivered, open_delivery
from shared.serving.first_start import CACHE, built_here
from shared.serving.http.limits import Limits

DONE, NOT_ALL, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130

Command = Callable[[Delivered, argparse.Namespace], int]


def main(arguments: Sequence[str], targets: Path = TARGETS) -> int:
    """Run a command line; return its exit code. argparse ends with 2 where it does not understand.

    Args:
        targets: the folder with the target's modules.
    """
    asked = _parser().parse_args(arguments)
    # The first process of a container ends at no signal that it does not handle.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        delivered = built_here(open_delivery(asked.delivery, targets), asked.cache, complain)
        return COMMANDS[asked.command](delivered, asked)
    except KeyboardInterrupt:
        return INTERRUPTED
    except DockyardError as error:
        complain(f"error: {error}")
        return error.exit_code
    except UnreadableImage as error:
        complain(f"error: {error}")
        return NOT_ALL
    except BrokenPipeError:  # whoever took the lines has gone: nothing more is to be said
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL
    except OSError as error:  # a folder that may not be written, a golden image that is not there
        complain(f"error: {error}")
        return NOT_ALL


def say(line: str) -> None:
    """Write a line to standard output at once."""
    print(line, flush=True)


def complain(line: str) -> None:
    """Write a line to standard error."""
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="shared.serving", description="Run what was measured.")
    parser.add_argument("--delivery", type=Path, required=True, help="folder with delivery.json")
    cache = "folder that keeps what is built at the first start on a device (default: %(default)s)"
    parser.add_argument("--cache", type=Path, default=CACHE, help=cache)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    read = commands.add_parser("read", help="read images and videos; a line of JSON for each thing found")
    read.add_argument(
        "inputs", nargs="+", metavar="FILE_OR_FOLDER_OR_VIDEO", help="or - for an image on standard input"
    )
    stream = commands.add_parser("stream", help="read videos; a line of JSON for each frame")
    stream.add_argument("sources", nargs="+", metavar="SOURCE", help="video, address, camera or folder")
    commands.add_parser("self-test", help="run the golden images, and say in a sentence how it went")
    golden = commands.add_parser("golden", help="write down what comes of images, for self-test")
    golden.add_argument("--images", type=Path, required=True, help="folder of images")
    sure = "leave out images with an answer that is less sure (default: %(default)s)"
    golden.add_argument("--least", type=float, default=0.0, help=sure)
    _add_serve(commands.add_parser("serve", help="answer over HTTP"))
    return parser


def _add_serve(serve: argparse.ArgumentParser) -> None:
    limits = Limits()
    serve.add_argument("--host", default="0.0.0.0", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=8080, help="(default: %(default)s)")
    serve.add_argument("--api-key-file", type=Path, help="file with the key that requests have to bring")
    serve.add_argument("--workers", type=_above_zero, help="requests at work at once (default: by the CPUs)")
    waiting = f"requests that wait beside those (default: {limits.waiting})"
    serve.add_argument("--max-waiting", type=_above_zero, default=limits.waiting, help=waiting)
    numbers = (
        ("--max-body-mb", limits.body_bytes / 1e6, "of a request, in MB"),
        ("--max-megapixels", limits.pixels / 1e6, "of an image"),
        ("--timeout-s", limits.timeout_s, "seconds to a request's answer"),
    )
    for name, default, text in numbers:
        serve.add_argument(name, type=_positive, default=default, help=f"{text} (default: {default:g})")


def _above_zero(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _read(delivered: Delivered, asked: argparse.Namespace) -> int:
    from shared.serving.read_command import read_all

    failures = read_all(delivered.load()[0], asked.inputs, say, complain)
    return NOT_ALL if failures else DONE


def _stream(delivered: Delivered, asked: argparse.Namespace) -> int:
    from shared.serving.stream_command import read_by_toolchain, read_stream

    if delivered.loaders.streamer is not None:
        read_by_toolchain(delivered.open_reader(), asked.sources, say, complain)
        return DONE
    broken = read_stream(delivered.load_stream(), asked.sources, say, complain)
    return NOT_ALL if broken else DONE


def _self_test(delivered: Delivered, asked: argparse.Namespace) -> int:
    from shared.serving.self_test import self_test

    found = self_test(delivered)
    for detail in found.details:
        complain(detail)
    say(found.sentence)
    return DONE if found.is_passed else NOT_ALL


def _golden(delivered: Delivered, asked: argparse.Namespace) -> int:
    from shared.serving.golden import write_golden

    folder = delivered.folder / delivered.delivery.golden
    count = write_golden(delivered.load()[0], asked.images, folder, asked.least)
    say(f"{count} golden images in {folder}")
    return DONE


def _serve(delivered: Delivered, asked: argparse.Namespace) -> int:
    from shared.serving.http.server import serve

    limits = Limits(
        body_bytes=round(asked.max_body_mb * 1e6),
        pixels=round(asked.max_megapixels * 1e6),
        waiting=asked.max_waiting,
        timeout_s=asked.timeout_s,
    )
    serve(delivered, asked.host, asked.port, asked.workers, limits, asked.api_key_file)
    return DONE


COMMANDS: Mapping[str, Command] = {
    "read": _read,
    "stream": _stream,
    "serve": _serve,
    "self-test": _self_test,
    "golden": _golden,
}
