"""Captions without a network and without a language model: made, kept, trained on."""

import json
import socket
from pathlib import Path

import pandas as pd
import pytest
from toy_options import BRIEF

from nextreid.attributes import load_schema
from nextreid.cli.main import main
from nextreid.model.builtin import shipped


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("this must not need a network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_world_is_captioned_and_trained_on(world: Path, tmp_path: Path, capsys) -> None:
    if "builtin:clip-small" not in shipped():
        pytest.skip("this checkout holds no weights (src/nextreid/model/weights)")
    captions = tmp_path / "C"
    words = ["caption", "generate", "--data", str(world), "--out", str(captions), "--split", "train"]
    words += ["--backend", "clip", "--size", "64x32", "--device", "cpu", "--json"]
    assert main(words) == 0
    first = json.loads(capsys.readouterr().out)["asked"]
    before = (captions / "captions.parquet").read_bytes()
    assert main(words) == 0  # nothing is asked twice
    again = json.loads(capsys.readouterr().out)["asked"]
    assert (again["asked"], again["reused"]) == (0, first["asked"])
    assert (captions / "captions.parquet").read_bytes() == before

    table = pd.read_parquet(captions / "captions.parquet")
    schema = load_schema("person")
    assert set(table["modality"]) == {"rgb", "nir", "tir"}
    assert {model for models in table["source_model"] for model in models} == {"clip:builtin:clip-small"}
    for modality, attribute in set(zip(table["modality"], table["attribute"], strict=True)):
        assert schema.observable(attribute, modality)

    run = ["train", "--data", str(world), "--out", str(tmp_path / "run"), *BRIEF, "--json"]
    assert main([*run, "--data.captions", str(captions)]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert trained["captions"]["source"] == str(captions)
    assert 0 < trained["captions"]["found"] <= trained["observations"]
