"""`nextreid VERB ...`: finds the verb, runs it, turns errors into exit codes.

Exit codes: 0 done, 1 a check failed, 2 bad input, 3 a missing extra, 70 a fault of nextreid itself,
130 interrupted.
"""

import argparse
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import Verb, add_common_options
from nextreid.errors import InputError, NextReidError
from nextreid.version import __version__

VERB_FILES = (
    "data",
    "synth",
    "caption_generate",
    "caption_merge",
    "caption_calibrate",
    "caption_audit",
    "caption_rewrite",
    "caption_exchange",
    "caption_show",
    "caption_schema",
    "pretrain",
    "train",
    "embed",
    "evaluate",
    "compare",
    "verify",
    "model",
    "quickstart",
)
"""The files of this folder that hold verbs, in the order of `nextreid --help`."""

INTERRUPTED, FAULT = 130, 70


class _Shown(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in text.splitlines())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are the project's own: one block, and JSON where that was asked for."""

    def error(self, message: str) -> NoReturn:
        """Raise the error that argparse would print.

        Raises:
            InputError: always.
        """
        raise InputError(message, do=f"see `{self.prog} --help`")


class _VerbParser(_Parser):
    """A parser whose help ends with a verb's details, made only when asked for."""

    verb: Verb | None = None

    def format_help(self) -> str:
        """Return the help, with the details and the line to copy."""
        text = super().format_help()
        if self.verb is None:
            return text
        details = f"\n{self.verb.details()}\n" if self.verb.details else ""
        return f"{text}{details}\nto copy:\n  {self.verb.example}\n"


def verbs() -> tuple[Verb, ...]:
    """Return every verb, in the order of the help."""
    found: list[Verb] = []
    for name in VERB_FILES:
        found.extend(importlib.import_module(f"nextreid.cli.{name}").VERBS)
    return tuple(found)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="nextreid",
        description="Multi-modal object re-identification with NEXT: data, training, evaluation, embedding.",
        epilog="first steps:\n  nextreid quickstart\n  nextreid VERB --help",
        formatter_class=_Shown,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nextreid {__version__}")
    choices = parser.add_subparsers(metavar="VERB", parser_class=_VerbParser, required=True, dest="verb")
    groups: dict[str, argparse._SubParsersAction[_VerbParser]] = {}
    for verb in verbs():
        first, _, second = verb.name.partition(" ")
        parent: argparse._SubParsersAction[_VerbParser] = choices
        if second:
            if first not in groups:
                group = choices.add_parser(first, help=GROUPS[first], description=GROUPS[first])
                groups[first] = group.add_subparsers(
                    metavar="VERB", parser_class=_VerbParser, required=True, dest="second"
                )
            parent = groups[first]
        child = parent.add_parser(
            second or first,
            help=verb.summary,
            description=verb.summary,
            formatter_class=_Shown,
            allow_abbrev=False,
        )
        child.verb = verb
        verb.add_options(child)
        add_common_options(child)
        child.set_defaults(chosen=verb)
    return parser


GROUPS = {
    "data": "check, import and list data sets",
    "caption": "make, merge, check and compare captions",
    "model": "measure what a model knows without training",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    terminal = Terminal(json="--json" in words, quiet="--quiet" in words, silent=not _is_main_process())
    debug = "--debug" in words
    try:
        args, rest = build_parser().parse_known_args(words)
        verb: Verb = args.chosen
        if rest and not verb.settings:
            raise _unknown_option(rest[0], verb)
        args.settings = rest
        if not debug:
            _hush_libraries()
        if args.device not in ("auto", "cpu"):
            _check_device(args.device)
        return verb.run(args, terminal)
    except KeyboardInterrupt:
        terminal.warn("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # `nextreid ... | head`
        sys.stderr.close()
        return 0
    except NextReidError as error:
        if debug:
            traceback.print_exc()
        terminal.failure(_title(error), str(error))
        return error.exit_code
    except OSError as error:
        if debug:
            traceback.print_exc()
        terminal.failure("a file cannot be used", f"{error}")
        return NextReidError.exit_code
    except Exception as error:
        if debug:
            raise
        terminal.failure("a fault of nextreid", _keep_traceback(error))
        return FAULT


def _check_device(name: str) -> None:
    """Refuse a device that is not there on every verb, also where no network runs."""
    from nextreid.embedding.embedder import choose_device

    choose_device(name)


def _is_main_process() -> bool:
    """Tell whether this is the first of several training processes, as their launcher numbers them."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK"))


def _unknown_option(word: str, verb: Verb) -> NextReidError:
    import difflib

    parser = argparse.ArgumentParser(add_help=False)
    verb.add_options(parser)
    add_common_options(parser)
    known = [name for action in parser._actions for name in action.option_strings]
    near = difflib.get_close_matches(word.partition("=")[0], known, n=1)
    return InputError(
        f"nextreid {verb.name} has no option {word}",
        allowed=f"the nearest is {near[0]}" if near else ", ".join(known),
        do=f"see `nextreid {verb.name} --help`",
    )


def _title(error: NextReidError) -> str:
    return {1: "a check failed", 3: "something is not installed"}.get(error.exit_code, "cannot do this")


def _keep_traceback(error: Exception) -> str:
    with tempfile.NamedTemporaryFile(
        "w", prefix="nextreid-traceback-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write("".join(traceback.format_exception(error)))
    return (
        f"{type(error).__name__}: {error}\n"
        f"This should not happen. The traceback is in {Path(file.name)}; --debug shows it here."
    )


def _hush_libraries() -> None:
    """Leave the libraries' remarks out; `--debug` keeps them."""
    import logging
    import warnings

    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore")


if __name__ == "__main__":
    sys.exit(main())
