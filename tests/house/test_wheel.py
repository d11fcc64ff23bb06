"""What is built contains what is needed: every YAML file, the type marker, the licence."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_holds_every_yaml_file(tmp_path: Path) -> None:
    copy = tmp_path / "copy"  # a build leaves files in its folder
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    wanted = {path.relative_to(source).as_posix() for path in source.rglob("*.yaml")}
    wanted |= {path.relative_to(source).as_posix() for path in (source / "nextreid").rglob("*.py")}
    assert len([name for name in wanted if name.endswith(".yaml")]) >= 7
    assert wanted <= held, sorted(wanted - held)
    assert "nextreid/py.typed" in held
    assert any(name.endswith("LICENSE") for name in held)
    assert not any(name.startswith("tests") for name in held)
