"""The rules of the house that a program can check."""

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nextreid.config import Config
from nextreid.configfile import leaf_types

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "nextreid"
MOST_LINES = 350
BANNED = {"utils", "util", "common", "base", "helpers", "helper", "misc", "tools", "core"}


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def test_files_are_short_and_named_for_an_idea() -> None:
    for path in sources():
        assert len(path.read_text().splitlines()) <= MOST_LINES, f"{path} is too long to see whole"
        assert path.stem not in BANNED, f"{path}: what is the idea?"


def test_only_the_command_line_prints() -> None:
    for path in sources():
        if (SOURCE / "cli") in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno} prints"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                written = node.value.id == "sys" and node.attr in ("stdout", "stderr")
                assert not written, f"{path}:{node.lineno} writes to the terminal"


def test_no_assert_outside_tests_and_no_weights_in_pickle() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            assert not isinstance(node, ast.Assert), f"{where}: raise an error that says what to do"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                called = f"{owner}.{node.func.attr}"
                assert called not in ("pickle.load", "pickle.loads", "pickle.dump", "pickle.dumps"), where
                if called == "torch.load":
                    given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
                    assert given.get("weights_only") is True, f"{where}: torch.load without weights_only"
                if called == "np.load":
                    given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
                    assert given.get("allow_pickle", False) is False, f"{where}: np.load with pickle"


def test_no_path_of_some_machine() -> None:
    for path in [*sources(), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]:
        assert not re.search(r"/(home|work|root)/\w", path.read_text()), path


@pytest.mark.parametrize("key", sorted(leaf_types(Config)))
def test_every_option_is_read_somewhere(key: str) -> None:
    """`config.model.rho`, or its section expanded whole (`**dataclasses.asdict(config.model)`)."""
    section, _, name = key.rpartition(".")
    readers = [SOURCE / "build.py", *sorted((SOURCE / "cli").glob("*.py"))]
    text = "\n".join(path.read_text() for path in readers if path.exists())
    attribute = rf"\bconfig\.{key.replace('.', chr(92) + '.')}\b"
    expanded = rf"\*\*(dataclasses\.)?asdict\(config\.{section}\)"
    assert re.search(attribute, text) or (section and re.search(expanded, text)), f"{key} is read nowhere"


def test_options_say_what_they_do_and_where_they_come_from() -> None:
    def walk(tree: type) -> None:
        for field in dataclasses.fields(tree):
            if field.default_factory is not dataclasses.MISSING:
                walk(type(field.default_factory()))
            else:
                assert field.metadata["help"], field.name
                assert field.metadata["origin"], field.name

    walk(Config)


@pytest.mark.parametrize(
    "line",
    [
        "import nextreid",
        "import nextreid.cli.main as m; m.build_parser().format_help()",
        "import nextreid.config, nextreid.configfile",
        "import nextreid.observation, nextreid.errors, nextreid.progress",
    ],
)
def test_import_stays_light(line: str) -> None:
    check = f"{line}\nimport sys\nprint([n for n in ('torch', 'pandas', 'transformers') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_curated_names_exist() -> None:
    import nextreid

    assert 1 < len(nextreid.__all__) <= 20
    for name in nextreid.__all__:
        assert getattr(nextreid, name) is not None
    with pytest.raises(AttributeError, match="Observation"):
        nextreid.Observatio  # noqa: B018
