"""What is built contains what is needed: every YAML file, the type marker, the licence, the weights."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nextreid.model.builtin import SHIPPED

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "src" / "nextreid" / "model" / "weights"

LARGEST = 15_000_000
"""Bytes of one file of weights: what a user is asked to download with the package for a first try."""

REST = 1_500_000
"""Bytes of everything else, compressed: code, tables, tokenizers. Ours: four times what it is."""

LOADS = """
import json, socket, sys

def refuse(*words, **others):
    raise AssertionError("this must not need a network")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
import torch, nextreid
from nextreid import ImageTextReader, NextReID, load_clip
from nextreid.model.builtin import shipped

heavy = ("kornia", "lightning", "matplotlib", "pandas", "pyarrow", "rich", "embreex")
found = {"file": nextreid.__file__, "heavy": [name for name in heavy if name in sys.modules]}
for name in shipped():
    clip = load_clip(name)
    with torch.inference_mode():
        image = clip.model.vision_model(torch.zeros(1, 3, 192, 96), interpolate_pos_encoding=True)
        text = clip.model.text_model(**clip.tokenizer(["a red car"], return_tensors="pt"))
    fine = bool(image.pooler_output.isfinite().all() and text.pooler_output.isfinite().all())
    found[name] = [clip.origin, str(clip.model.dtype), fine]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"  # a build leaves files in its folder
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = folder.glob("*.whl")
    return built


def shipped_folders() -> list[Path]:
    """Return the folders of weights of this checkout; the test is skipped where there are none."""
    folders = sorted(path.parent for path in WEIGHTS.glob("*/model.safetensors"))
    if not folders:
        pytest.skip("this checkout holds no weights (src/nextreid/model/weights)")
    return folders


def tensors(data: bytes) -> dict[str, dict[str, object]]:
    """Return the entries of a safetensors header, without the library."""
    (length,) = struct.unpack("<Q", data[:8])
    entries: dict[str, dict[str, object]] = json.loads(data[8 : 8 + length])
    entries.pop("__metadata__", None)
    return entries


def test_shipped_weights_are_small_half_precision_and_those_of_their_card() -> None:
    for folder in shipped_folders():
        assert f"builtin:{folder.name}" in SHIPPED
        assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json", ".md"}
        data = (folder / "model.safetensors").read_bytes()
        assert len(data) <= LARGEST, folder
        assert {entry["dtype"] for entry in tensors(data).values()} == {"F16"}, folder
        sha256 = hashlib.sha256(data).hexdigest()
        card = (folder / "README.md").read_text(encoding="utf-8")
        assert re.findall(r"\b[0-9a-f]{64}\b", card) == [sha256], folder
        notes = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
        assert notes["weights_sha256"] == sha256, folder
        assert notes["command"] in card
        assert "never seen a real camera" in card
        left_out = re.fullmatch(r"clip-small(?:-without-(\w+))?", folder.name)
        assert left_out is not None
        assert notes["left_out"] == left_out[1], folder
        assert not re.search(r"/(home|work|root|tmp)/", card + json.dumps(notes)), "a path of some machine"


@pytest.mark.slow
def test_the_wheel_holds_every_yaml_file(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    source = ROOT / "src"
    wanted = {path.relative_to(source).as_posix() for path in source.rglob("*.yaml")}
    wanted.add("nextreid/evaluation/results/published/results.json")
    wanted |= {path.relative_to(source).as_posix() for path in (source / "nextreid").rglob("*.py")}
    assert len([name for name in wanted if name.endswith(".yaml")]) >= 7
    assert wanted <= held, sorted(wanted - held)
    assert "nextreid/py.typed" in held
    assert any(name.endswith("LICENSE") for name in held)
    assert not any(name.startswith("tests") for name in held)


@pytest.mark.slow
def test_the_wheel_holds_the_weights_and_little_else(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    for folder in shipped_folders():
        for path in folder.iterdir():
            assert archive.read(path.relative_to(ROOT / "src").as_posix()) == path.read_bytes()
    entries = archive.infolist()
    assert not [e.filename for e in entries if e.filename.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt"))]
    assert sum(e.compress_size for e in entries if not e.filename.endswith(".safetensors")) < REST


@pytest.mark.slow
def test_the_unzipped_wheel_loads_its_weights_without_network(wheel: Path, tmp_path: Path) -> None:
    names = {f"builtin:{folder.name}" for folder in shipped_folders()}
    zipfile.ZipFile(wheel).extractall(tmp_path)
    hub = ("HF_", "TRANSFORMERS_")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hub)}
    done = subprocess.run(
        [sys.executable, "-c", LOADS],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert Path(found.pop("file")).is_relative_to(tmp_path)
    assert found.pop("heavy") == [], "seconds of importing that loading does not need"
    assert found == {name: ["builtin", "torch.float32", True] for name in names}
