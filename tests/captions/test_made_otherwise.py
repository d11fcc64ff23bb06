"""Caption sets that are not finished, have no answers, or speak of another kind: what is said of them."""

from pathlib import Path

import pytest
import yaml
from caption_cases import slots_of, write_published
from small_data import drawn_truth, small_data

from nextreid.attributes.schema import Schema, load_schema
from nextreid.captions.caption_set import difference, write_caption_set, write_run
from nextreid.captions.log import AnswerLog
from nextreid.captions.sentences import Captions, captions_of
from nextreid.cli.embed import _label
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest
from nextreid.errors import InputError

PERSON, VEHICLE = load_schema("person"), load_schema("vehicle")


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    return small_data(tmp_path / "data", 4)


def error(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main([*map(str, words)]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_an_interrupted_set_is_named_as_one(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "half"
    write_run(folder, PERSON, {"method": "merge", "models": {}, "splits": ["test"]})
    with AnswerLog(folder / "answers.jsonl"):
        pass
    for words in (
        ("show", "o0001", "--captions", folder),
        ("audit", folder, "--out", tmp_path / "audit"),
        ("export", folder, "--out", tmp_path / "text"),
        ("rewrite", folder, "--data", data.root, "--model", "m", "--out", tmp_path / "polished"),
    ):
        said = error(capsys, "caption", *words)
        assert "was interrupted" in said
        assert "run the same `nextreid caption generate` again" in said
        assert f"nextreid caption merge {folder}" in said
    with pytest.raises(InputError, match=r"was interrupted.*caption generate"):
        captions_of(data, str(folder), PERSON, truth=False)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"method": "import", "source": "next"}, "by `caption import` of next"),
        (
            {"method": "merge", "merged": ["a", "b"]},
            "by `caption merge` of a, b. What to do: name these: a, b",
        ),
        ({"merged": ["a"], "rewritten": {"source": "both"}}, "by `caption rewrite`"),
        ({"models": {}}, "stopped before any answer"),
    ],
)
def test_a_set_without_answers_says_how_it_was_made(
    run: dict[str, object], said: str, data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = slots_of(PERSON, {("o0001", "rgb"): {"gender": "male"}})
    write_caption_set(tmp_path / "set", table, data.rows, PERSON, run=run)
    assert said in error(capsys, "caption", "merge", tmp_path / "set", "--data", data.root)
    words = ("--truth", data.root, "--out", tmp_path / "c.json")
    assert said in error(capsys, "caption", "calibrate", tmp_path / "set", *words)


def test_schemas_that_differ_are_both_named(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "one", PERSON, {"method": "merge", "models": {}})
    write_run(tmp_path / "two", VEHICLE, {"method": "merge", "models": {}})
    for folder in ("one", "two"):
        (tmp_path / folder / "answers.jsonl").touch()
    said = error(
        capsys, "caption", "merge", tmp_path / "one", tmp_path / "two", "--data", data.root, "--out", "x"
    )
    assert "with the vehicle schema, not the person schema" in said
    values = PERSON.to_dict()
    values["groups"][0]["attributes"][0]["observable"] = {"rgb": 0.1}
    assert difference(PERSON, PERSON) is None
    changed = difference(Schema.from_dict(values), PERSON)
    assert changed == f"another person schema of the same version: {PERSON.attributes[0].name} differ"
    newer = difference(Schema.from_dict({**values, "version": 99}), PERSON)
    assert newer == f"version 99 of the person schema, not version {PERSON.version}"


def test_a_schema_of_another_kind_is_warned_of(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(yaml.safe_dump({**PERSON.to_dict(), "kind": "robot"}, sort_keys=False))
    words = ["caption", "generate", "--data", str(data.root), "--out", str(tmp_path / "out"), "--dry-run"]
    words += ["--backend", "openai", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"]
    for schema, warned in (("person", False), (str(file), True)):
        main([*words, "--schema", schema, "--quiet"])
        assert ("describes a robot, and the data hold person" in capsys.readouterr().err) == warned


def test_a_dry_run_without_a_server_costs_nothing(
    data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn_truth(data, PERSON)
    words = ["caption", "generate", "--data", str(data.root), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*words, "--backend", "simulated"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "simulated:default" in line]
    assert row.split()[-1] == "none"
    words += ["--backend", "openai", "--model", "m", "--base-url", "http://127.0.0.1:9/v1"]
    assert main(words) == 0
    assert "unknown" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_captions_that_describe_the_answer_come_with_what_to_do(data: Manifest) -> None:
    write_published(data.root / "text", {"test_RGB": [("rgb_0000.png", "A man.")]})
    (data.root / "world.json").write_text("{}")
    passed_over = captions_of(data, "auto", PERSON, truth=False)
    assert "describe the answer" in passed_over.source
    assert "for `--captions SET`" in _label(passed_over)
    assert "for `--captions SET`" in _label(Captions("captions/simulated", from_truth=True))
    assert _label(Captions("captions/gpt")) == _label(captions_of(data, "none", PERSON, truth=False)) == ""
