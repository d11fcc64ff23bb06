"""What a verb of the command line is, and the options that every verb takes."""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

from nextreid.cli.terminal import Terminal


@dataclass(frozen=True)
class Verb:
    """One verb, e.g. `train` or `data check`.

    Attributes:
        name: as typed; two words for a verb of a group.
        summary: one line of help.
        example: a line to copy, shown by `--help`.
        add_options: declares its options on a parser.
        run: does the work and returns the exit code.
        settings: it takes `--section.option value` too; they arrive in `args.settings`.
        details: lines that `--help` shows after the options, made only then.
    """

    name: str
    summary: str
    example: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Terminal], int]
    settings: bool = False
    details: Callable[[], str] | None = None


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that every verb takes."""
    group = parser.add_argument_group("on every verb")
    group.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "mps"),
        default="auto",
        help="where networks compute (default: auto)",
    )
    group.add_argument(
        "--workers", type=_workers, help="processes that read or render (default: by the machine)"
    )
    group.add_argument(
        "--seed", type=_integer, help="of every random draw (default: 0, or the configuration's)"
    )
    group.add_argument(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="an unreadable image: stop, or list and leave out",
    )
    group.add_argument(
        "--json", action="store_true", help="print the result as JSON, and nothing else, on stdout"
    )
    group.add_argument("--quiet", action="store_true", help="no progress and no remarks")
    group.add_argument("--debug", action="store_true", help="show tracebacks and what the libraries say")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def whole_number(least: int) -> Callable[[str], int]:
    """Return the reader of an option that takes a whole number from `least` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; allowed: a whole number, {least} or more")
        return int(text)

    return read


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: a whole number") from error


def _workers(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes; allowed: 0, 1, 2 ...")
    return int(text)
