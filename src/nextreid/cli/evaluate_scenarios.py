"""The scenarios of `nextreid evaluate`: which are asked for, what they need, and running them."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nextreid.cli.embed import add_fill_option
from nextreid.cli.terminal import Terminal
from nextreid.errors import InputError

if TYPE_CHECKING:
    from nextreid.evaluation.scenarios.scenario import ScenarioContext, ScenarioInputs

ALL = "all"
CHOICES = ("missing", "any-to-any", "random-drop", "unseen", "text", "fine-grained", "consistency", ALL)


def add_scenario_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--scenario` and `--fill`."""
    parser.add_argument(
        "--scenario",
        choices=CHOICES,
        action="append",
        default=[],
        help="also score this (repeatable); all: whatever data and model allow, with a note for the rest",
    )
    add_fill_option(parser)


def wanted_scenarios(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the scenarios that the options ask for, in their own order."""
    names = set(args.scenario)
    return tuple(name for name in CHOICES[:-1] if name in names or ALL in names)


def needs_subsets(names: Sequence[str]) -> bool:
    """Tell whether one of these needs the embeddings of every subset of the modalities."""
    from nextreid.evaluation.scenarios.scenario import FROM_SUBSETS

    return bool(set(names) & set(FROM_SUBSETS))


@dataclass(frozen=True)
class Outcome:
    """What the scenarios gave.

    Attributes:
        entries: scenario -> its entry of results.json.
        left_out: scenario -> why `all` passed it by.
    """

    entries: Mapping[str, dict[str, Any]]
    left_out: Mapping[str, str]


def run_scenarios(names: Sequence[str], context: "ScenarioContext", *, everything: bool) -> Outcome:
    """Run scenarios.

    Args:
        names: which.
        context: what they may use.
        everything: whether they were asked for by `all`, so that an impossible one is only noted.

    Raises:
        InputError: a scenario asked for by name that is not possible here.
    """
    from nextreid.evaluation.scenarios.scenario import NotPossibleError

    entries, left_out = {}, {}
    for name in names:
        try:
            entries[name] = RUNNERS[name](context)
        except NotPossibleError as error:
            if not everything:
                raise _refused(name, error) from error
            left_out[name] = str(error)
    return Outcome(entries, left_out)


def check_scenarios(names: Sequence[str], inputs: "ScenarioInputs") -> None:
    """Refuse scenarios that are not possible, before anything is embedded.

    Raises:
        InputError: names the option.
    """
    from nextreid.evaluation.scenarios.scenario import NotPossibleError

    for name in names:
        check = getattr(_module(name), "check", None)
        try:
            if check is not None:
                check(inputs)
        except NotPossibleError as error:
            raise _refused(name, error) from error


def show_scenarios(document: Mapping[str, Any], terminal: Terminal) -> None:
    """Print the tables of whatever does not fit the table of all scores, and what was not run."""
    from nextreid.evaluation.results.report_markdown import sections_of

    for section in sections_of(document):
        for table in section.tables:
            terminal.table(f"\n{section.title}: {table.title}", table.header, table.rows)
        if section.tables and section.text:
            terminal.text(section.text)
    for name, reason in document["scenarios_left_out"].items():
        terminal.remark(f"scenario {name} was not run: {reason}")


def _module(name: str) -> ModuleType:
    return import_module(f"nextreid.evaluation.scenarios.{name.replace('-', '_')}")


def _refused(name: str, error: Exception) -> InputError:
    return InputError(f"option --scenario {name}: {error}")


def _runner(name: str) -> Callable[["ScenarioContext"], dict[str, Any]]:
    def run(context: "ScenarioContext") -> dict[str, Any]:
        found: dict[str, Any] = _module(name).run(context)
        return found

    return run


RUNNERS: Mapping[str, Callable[["ScenarioContext"], dict[str, Any]]] = {
    name: _runner(name) for name in CHOICES[:-1]
}
"""Scenario -> what runs it and returns its entry of results.json."""
