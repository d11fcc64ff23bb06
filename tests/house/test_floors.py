"""Imports go one way: from lower floors only; rooms of one floor do not know each other."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "nextreid"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "modality", "observation", "seeding", "progress", "atomic", "version", "hub"),
    ("attributes",),
    ("data", "synthetic"),
    ("captions",),
    ("model",),
    ("embedding", "losses"),
    ("evaluation", "training"),
    ("pretraining",),
    ("retrieval",),
    ("serving",),
    ("config",),
    ("configfile",),
    ("build",),
    ("cli",),
)
"""From the ground up; the foundations are one room whose files may know each other."""

TOP_ONLY = {"config", "configfile", "build", "cli"}
"""A whole configuration is seen here and nowhere below."""

ONE_ROOM = {
    "transformers": {"model", "captions"},
    "tokenizers": {"model"},
    "lightning": {"training", "pretraining"},
    "kornia": {"data"},
    "embreex": {"synthetic"},
    "matplotlib": {"evaluation", "synthetic", "captions"},  # curves; palettes of thermal images; audits
    "openai": {"captions"},
    "rich": {"cli"},
    "pydantic": {"attributes", "config", "configfile"},
}
"""Heavy or optional libraries, and the rooms that may import them."""


def level(room: str) -> int:
    return next(index for index, floor in enumerate(FLOORS) if room in floor)


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return [path for path in sorted(SOURCE.rglob("*.py")) if path != SOURCE / "__init__.py"]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def faults(source: str, room: str) -> list[str]:
    found = []
    for name in imported(ast.parse(source)):
        parts = name.split(".")
        if parts[0] == "nextreid" and len(parts) > 1 and not parts[1].startswith("_"):
            other = parts[1]
            if other == room or (level(room) == 0 and level(other) == 0):
                continue
            if level(other) >= level(room):
                found.append(f"{room} imports {name}, which is not on a lower floor")
        elif parts[0] in ONE_ROOM and room not in ONE_ROOM[parts[0]]:
            found.append(f"{room} imports {parts[0]}, which lives in {', '.join(sorted(ONE_ROOM[parts[0]]))}")
    return sorted(found)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    assert faults(path.read_text(), room_of(path)) == []


def test_the_test_finds_faults() -> None:
    assert faults("from nextreid.data.manifest import load_manifest", "model") == []
    assert faults("from nextreid.training.fit import fit", "model")
    assert faults("import nextreid.config", "training")
    assert faults("def f():\n    from nextreid.data import batch", "synthetic")
    assert faults("import lightning.pytorch as pl", "model")


def test_every_room_has_a_floor() -> None:
    for path in modules():
        level(room_of(path))
