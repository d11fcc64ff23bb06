"""A schema of one's own, from YAML to captions: boats."""

import json
from pathlib import Path

import numpy as np
import pytest
from openai_test_server import Server
from PIL import Image

from nextreid.attributes import load_schema
from nextreid.attributes.recovery import Recovery
from nextreid.captions.answers import Answer, Reply
from nextreid.captions.caption_set import read_caption_set, write_caption_set
from nextreid.captions.fusion import merge_answers
from nextreid.captions.parsing import parse_reply
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest, load_manifest

BOATS = Path(__file__).parents[2] / "examples" / "boats.yaml"

SEEN = {
    "rgb": {"hull_colour": "Red", "type": "a fishing boat", "on_deck": "nets", "image_quality": "blurry"},
    "nir": {"type": "fishing boat", "masts": "one mast", "image_quality": "clear", "on_deck": "unknown"},
    "tir": {"hull_colour": "blue", "engine": "hot", "type": "submarine", "image_quality": "clear"},
}
"""What a model replies: with a colour that heat cannot show, and a boat that the schema does not have."""


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    for modality in SEEN:
        Image.fromarray(np.full((24, 48, 3), 90, np.uint8)).save(tmp_path / f"{modality}.png")
    (tmp_path / "manifest.csv").write_text(
        "observation,kind,rgb,nir,tir\nharbour_1,boat,rgb.png,nir.png,tir.png\n"
    )
    return load_manifest(tmp_path)


def replies() -> list[Answer]:
    schema = load_schema(BOATS)
    found = []
    for modality, values in SEEN.items():
        raw = json.dumps({name: {"value": value, "confidence": 0.95} for name, value in values.items()})
        reply = Reply("answered", raw=raw)
        found.append(
            parse_reply(reply, schema=schema, observation="harbour_1", modality=modality, model="eye")
        )
    return found


def test_from_yaml_to_captions(tmp_path: Path, manifest: Manifest) -> None:
    schema = load_schema(BOATS)
    faults = {
        (answer.modality, fault.attribute, fault.reason) for answer in replies() for fault in answer.faults
    }
    assert ("tir", "hull_colour", "not observable") in faults
    assert ("tir", "type", "value not allowed") in faults
    merged = merge_answers(replies(), schema, manifest.rows)
    write_caption_set(tmp_path / "set", merged.table, manifest.rows, schema, run={})
    table = read_caption_set(tmp_path / "set").table
    values = {modality: table.values("harbour_1", modality) for modality in SEEN}
    assert values["rgb"] == {
        "hull_colour": "red",
        "type": "fishing boat",
        "masts": "one mast",
        "on_deck": "nets",
        "image_quality": "blurry",
    }
    assert values["nir"] == {
        name: value for name, value in values["rgb"].items() if name != "hull_colour"
    } | {
        "image_quality": "clear"  # each picture's own
    }
    assert values["tir"] == values["nir"] | {"engine": "hot"}
    caption = table.caption("harbour_1", "tir")
    assert caption == " ".join(
        (
            "A fishing boat. It has one mast. Its engine is hot.",
            "It carries nets on deck. The image appears clear.",
        )
    )
    told = Recovery(schema).read(caption)
    assert dict(told.values) == values["tir"]
    assert told.unplaced == ()
    (file,) = (tmp_path / "set" / "text").glob("test_TI.json")
    assert json.loads(file.read_text()) == [{"item": "tir.png", "description": caption}]


def test_the_schema_verb_shows_and_checks_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["caption", "schema", "check", str(BOATS)]) == 0
    assert "no mistakes found" in capsys.readouterr().out
    assert main(["caption", "schema", "show", str(BOATS), "--prompt", "tir", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["schema"]["kind"] == "boat"
    assert len(shown["examples"]) == 3
    for example in shown["examples"]:
        assert "engine is" in example["tir"]
        assert "engine is" not in example["rgb"]
        assert "unknown" not in "".join(example.values()).lower()
    assert "hull_colour" not in shown["prompt"]
    assert "engine" in shown["answer_schema"]["properties"]
    doubtful = tmp_path / "doubtful.yaml"
    doubtful.write_text(BOATS.read_text().replace("values: [hot, cold]", "values: [hot, unknown]"))
    assert main(["caption", "schema", "check", str(doubtful), "--json"]) == 0
    assert "does not know" in capsys.readouterr().out
    doubtful.write_text(BOATS.read_text().replace("values: [hot, cold]", "values: [hot]"))
    assert main(["caption", "schema", "check", str(doubtful)]) == 2
    said = capsys.readouterr().err
    assert "doubtful.yaml" in said
    assert "'engine'" in said
    assert main(["caption", "schema", "show", "boat"]) == 2
    assert "person, vehicle" in capsys.readouterr().err


def test_the_verbs_caption_boats(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that names the first value of everything: nothing but the schema's file makes the captions."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    out = tmp_path / "set"
    with Server() as server:
        words = ["--model", "eye", "--backend", "openai", "--base-url", server.url, "--schema", str(BOATS)]
        assert (
            main(["caption", "generate", "--data", str(tmp_path), "--out", str(out), *words, "--quiet"]) == 0
        )
    table = read_caption_set(out).table
    assert table.caption("harbour_1", "rgb").startswith("A white sailboat seen from the bow. The picture was")
    for modality in SEEN:
        first = {a.name: a.values[0] for a in load_schema(BOATS).attributes if modality in a.observable}
        assert table.values("harbour_1", modality) == first
    capsys.readouterr()
    assert main(["caption", "show", "harbour_1", "--captions", str(out)]) == 0
    assert "Its engine is hot" in capsys.readouterr().out
    assert main(["caption", "audit", str(out), "--rule", "strict", "--out", str(tmp_path / "audit")]) == 0
    found = json.loads((tmp_path / "audit" / "audit.json").read_text())["set"]
    assert found["schema"] == "boat"
    assert found["unknown"]["overall"] == 0.0
    assert found["coverage"]["TIR"]["engine"] == 1.0
