"""The README's commands exist, its blocks run as they stand, and so do the examples."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nextreid.cli.main import build_parser, main
from nextreid.model.builtin import available

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(?P<skip><!-- not run by the tests[^>]*-->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL
)


def blocks() -> list[tuple[str, str]]:
    """Return (language, text) of the blocks that are run."""
    found = [(m["kind"], m["text"]) for m in BLOCK.finditer(README) if not m["skip"]]
    return [(kind, text) for kind, text in found if kind in ("bash", "python")]


def commands(text: str) -> list[list[str]]:
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_in_the_readme_exists() -> None:
    seen = 0
    for match in BLOCK.finditer(README):
        for words in commands(match["text"]) if match["kind"] in ("bash", "text") else ():
            if words and words[0] == "nextreid":
                args, rest = build_parser().parse_known_args(words[1:])
                assert not rest or args.chosen.settings, words
                seen += 1
            elif words and words[0] == "make":
                for target in [word for word in words[1:] if "=" not in word]:
                    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert seen >= 5


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        if target != "docs/paper_map.md" or (ROOT / "docs").is_dir():
            assert (ROOT / target).exists(), target


@pytest.mark.slow
def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (96, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("photo.png")
    ran = 0
    for kind, text in blocks():
        if kind == "python":
            exec(compile(text, "README.md", "exec"), {})
            ran += 1
            continue
        for words in commands(text):
            assert words[0] == "nextreid", f"{words} cannot be run by a test: mark its block"
            assert main(words[1:]) == 0, words
            ran += 1
    assert ran >= 6
    assert (tmp_path / "results.json").is_file()
    assert (tmp_path / "embeddings.npz").is_file()


def test_examples_run(model: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for name in ("anna_door_01_rgb", "anna_door_01_tir", "anna_yard_01_nir", "bert_door_01_rgb"):
        Image.fromarray(rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)).save(photos / f"{name}.png")
    table = tmp_path / "table.csv"

    def run(script: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / script), *words],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "3 observations of 2 identities" in run("own_data.py", str(photos), str(table))
    lines = run("nearest.py", str(model), str(table)).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("anna_door_01 (rgb+tir) -> ")
    backbone = next(iter(available()))  # the shipped one, where the installation holds it
    found = run("zero_shot.py", str(table), "a man with a red hat", backbone).splitlines()
    assert [line.split(", cosine ")[0] for line in sorted(found)] == ["anna_door_01", "bert_door_01"]
    shown = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert shown == {"own_data.py", "nearest.py", "zero_shot.py"}
