"""Backends from the words of the command line: what each reads, and what it warns of."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nextreid.attributes import load_schema
from nextreid.captions.answers import Question
from nextreid.captions.backends.temperature import UNFITTED, FittedTemperature, write_temperatures
from nextreid.cli.caption_backends import BACKENDS, ONLY_FOR, add_backend_options, make_backends
from nextreid.cli.terminal import Terminal
from nextreid.cli.verb import add_common_options
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.embedding.reader_source import KIND_SIZE, load_reader
from nextreid.errors import InputError

PERSON = load_schema("person")
TINY = ["--backend", "clip", "--model", "builtin:tiny", "--size", "64x32", "--device", "cpu"]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    lines = ["observation,rgb,tir"]
    for number in range(3):
        for name in ("rgb", "tir"):
            pixels = np.random.default_rng(number).integers(0, 255, (64, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{number}_{name}.png")
        lines.append(f"o{number},{number}_rgb.png,{number}_tir.png")
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return load_manifest(tmp_path)


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_backend_options(parser)
    add_common_options(parser)
    return parser.parse_args(words)


def made(manifest: Manifest, *words: str, terminal: Any = None) -> list[Any]:
    return make_backends(parsed(*words), PERSON, manifest, terminal or Terminal(quiet=True))


def test_clip_captions_images_with_no_network(manifest: Manifest, capsys: pytest.CaptureFixture[str]) -> None:
    (backend,) = made(manifest, *TINY, terminal=Terminal())
    warned = capsys.readouterr().err
    assert "No temperature was fitted for builtin:tiny and person observations" in " ".join(warned.split())
    assert backend.model == "clip:builtin:tiny"
    assert set(backend.temperature.values()) == {UNFITTED}
    questions = [Question(row, name) for row in manifest.rows for name in ("rgb", "tir")]
    replies = backend.ask(questions)
    assert [reply.outcome for reply in replies] == ["answered"] * 6
    for question, reply in zip(questions, replies, strict=True):
        assert set(json.loads(reply.raw)) == {
            a.name for a in PERSON.attributes if PERSON.observable(a.name, question.modality)
        }
    (again,) = made(manifest, *TINY)
    assert (again.fingerprint, again.ask(questions)) == (backend.fingerprint, replies)


def test_a_file_of_temperatures_is_used_where_it_fits(
    manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = load_reader("builtin:tiny", schema=PERSON, size=(64, 32), device="cpu").sha256
    entry = FittedTemperature(
        "builtin:tiny", sha256, "person", (64, 32), {"rgb": 0.2, "nir": 0.3}, {"rgb": 1, "nir": 1}
    )
    path = write_temperatures(tmp_path / "t.yaml", [entry])
    (backend,) = made(manifest, *TINY, "--temperature", str(path), terminal=Terminal())
    assert capsys.readouterr().err == ""
    assert backend.temperature == {"rgb": 0.2, "nir": 0.3, "tir": 0.3}
    with pytest.raises(InputError, match=r"nothing for the weights of builtin:tiny.*builtin:tiny \(person\)"):
        made(manifest, *TINY, "--seed", "1", "--temperature", str(path))  # other random weights
    other = ["32x64" if word == "64x32" else word for word in TINY]
    made(manifest, *other, "--temperature", str(path))  # quiet, and yet:
    said = " ".join(capsys.readouterr().err.split())
    assert "looks at images of 32x64, but its temperatures were fitted at 64x32" in said


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("option", sorted(ONLY_FOR))
def test_an_option_without_effect_is_an_error(manifest: Manifest, option: str, backend: str) -> None:
    if backend in ONLY_FOR[option]:
        return
    value = {"--size": "64x32"}.get(option, "5")
    with pytest.raises(InputError, match=f"{option} has no effect with --backend {backend}"):
        made(manifest, "--backend", backend, "--model", "x", option, value)


def test_models_are_named_where_needed_and_once(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in ("openai", "transformers", "replay"):
        with pytest.raises(InputError, match=f"--backend {backend} needs a model"):
            made(manifest, "--backend", backend)
    server = ["--backend", "openai", "--base-url", "http://localhost:1/v1"]
    pytest.importorskip("openai")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    several = made(manifest, *server, "--model", "one", "--model", "two")
    assert [backend.model for backend in several] == ["one", "two"]
    with pytest.raises(InputError, match="one is named twice"):
        made(manifest, *server, "--model", "one", "--model", "one")


def test_a_simulated_model_needs_a_truth(manifest: Manifest) -> None:
    with pytest.raises(InputError, match="has no truth"):
        made(manifest, "--backend", "simulated")
    with pytest.raises(InputError, match="no folder"):
        made(manifest, "--backend", "transformers", "--model", "./nowhere")


def test_the_shipped_temperatures_are_those_of_the_shipped_weights() -> None:
    """After new weights: python benchmarks/clip_temperature.py."""
    from nextreid.captions.backends.temperature import find_temperature, shipped_temperatures
    from nextreid.model.builtin import shipped

    if "builtin:clip-small" not in shipped():
        pytest.skip("this checkout holds no weights (src/nextreid/model/weights)")
    for kind in ("person", "vehicle"):
        sha256 = load_reader("builtin:clip-small", schema=load_schema(kind), device="cpu").sha256
        found = find_temperature(shipped_temperatures(), weights_sha256=sha256, kind=kind)
        assert found is not None, "run benchmarks/clip_temperature.py: the weights have changed"
        assert found.size == KIND_SIZE[kind]
