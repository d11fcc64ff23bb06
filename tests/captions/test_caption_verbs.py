"""`caption rewrite`, `export`, `import` and `show`, as they are typed."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from caption_cases import slots_of, write_published
from openai_test_server import Server

from nextreid.attributes import Grammar, load_schema
from nextreid.captions.answers import Reply
from nextreid.captions.caption_set import read_caption_set, write_caption_set
from nextreid.captions.log import AnswerLog, Record
from nextreid.captions.rewriting import rewrite_prompt
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest, load_manifest

PERSON = load_schema("person")
MAN = {"age": "adult", "gender": "male", "upper": "coat", "upper_colour": "red", "carrying": "backpack"}
WOMAN = {"gender": "female", "upper": "dress"}
CAPTIONS = {("a", "rgb"): MAN, ("a", "tir"): {"upper": "coat"}, ("b", "rgb"): WOMAN, ("c", "rgb"): WOMAN}
POLISHED = "Dressed in a red coat."


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    data = tmp_path / "data"
    data.mkdir()
    (data / "manifest.csv").write_text(
        "observation,kind,split,rgb,tir\na,person,test,r/a.png,t/a.png\nb,person,test,r/b.png,\nc,person,test,r/c.png,\n"
    )
    return load_manifest(data)


@pytest.fixture
def plain(manifest: Manifest, tmp_path: Path) -> Path:
    run = {"method": "merge"}
    write_caption_set(tmp_path / "plain", slots_of(PERSON, CAPTIONS), manifest.rows, PERSON, run=run)
    return tmp_path / "plain"


@pytest.fixture
def server(plain: Path, tmp_path: Path) -> Iterator[Server]:
    """A model that polishes the man well, drops the coat of the thermal image, and dreams of a hat."""
    said = {
        ("a", "rgb"): {"who": "An adult male.", "clothing": POLISHED, "carrying": "He is holding a phone."},
        ("a", "tir"): {"clothing": "The person is wearing something warm."},
        ("b", "rgb"): {"who": "A female person.", "clothing": "She is wearing a dress and a hat."},
    }
    table = read_caption_set(plain).table
    answers = {}
    for key, sentences in said.items():
        digest = hashlib.sha256(rewrite_prompt(table.of[key]).encode()).hexdigest()
        answers[digest] = {"writer": json.dumps(sentences)}
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    with Server(answers=tmp_path / "answers.json") as found:
        yield found


def test_rewrite_takes_the_good_and_keeps_the_rest(
    plain: Path,
    manifest: Manifest,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    out = tmp_path / "polished"
    words = ["caption", "rewrite", str(plain), "--data", str(manifest.root), "--model", "writer"]
    words += ["--base-url", server.url, "--out", str(out)]
    assert main([*words, "--max-requests", "1", "--quiet"]) == 0
    assert "max-requests" in capsys.readouterr().err
    assert sum(server.counts()["answered"].values()) == 1
    assert main([*words, "--json", "--quiet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sum(server.counts()["answered"].values()) == 3  # b and c are of the same words
    assert said["asked"]["reused"] == 1
    assert (said["sentences"], said["taken"], said["same"], said["open"]) == (8, 1, 3, 0)
    assert said["rejected"] == {"changed": 1, "dropped": 1, "other words": 2}
    before, after = read_caption_set(plain), read_caption_set(out)
    assert after.table.values("a", "rgb") == MAN
    for old, new in zip(before.table.rows, after.table.rows, strict=True):
        polished = (old.observation, old.modality, old.group) == ("a", "rgb", "clothing")
        assert new.sentence == (POLISHED if polished else old.sentence)
        assert new.confidence == old.confidence
    texts = {
        entry["item"]: entry["description"] for entry in json.loads((out / "text/test_RGB.json").read_text())
    }
    assert texts["a.png"] == f"An adult male. {POLISHED} He is carrying a backpack."
    assert after.run["method"] == "merge"
    assert after.run["rewritten"]["taken"] == 1
    reasons = {(r["observation"], r["reason"]) for r in json.loads((out / "rejected.json").read_text())}
    assert reasons == {("a", "changed"), ("a", "dropped"), ("b", "other words"), ("c", "other words")}
    held = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"sk-secret" not in held
    assert main([*words, "--quiet"]) == 0  # all is in the log
    said = capsys.readouterr().out
    assert "0 captions asked about, 3 replies were there" in said
    assert f"taken: He is wearing a red coat. -> {POLISHED}" in said
    words[words.index("writer")] = "other"
    assert main(words) == 2
    assert "holds rewrites by writer, not by other" in capsys.readouterr().err
    assert sum(server.counts()["answered"].values()) == 3


def test_a_model_that_never_answers_as_asked_is_an_error(
    plain: Path, manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read_caption_set(plain).table
    digests = [hashlib.sha256(rewrite_prompt(slots).encode()).hexdigest() for slots in table.of.values()]
    (tmp_path / "none.json").write_text(json.dumps({name: {"writer": "Gladly!"} for name in digests}))
    words = ["caption", "rewrite", str(plain), "--data", str(manifest.root), "--model", "writer"]
    with Server(answers=tmp_path / "none.json") as server:
        assert main([*words, "--base-url", server.url, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "No reply could be used: each has to be one JSON object" in said.err
    assert "The first was malformed: Gladly!" in said.err


def test_rewrite_leaves_other_folders_alone(
    plain: Path, manifest: Manifest, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["caption", "rewrite", str(plain), "--data", str(manifest.root), "--model", "m"]
    words += ["--base-url", "http://127.0.0.1:9/v1"]
    assert main([*words, "--out", str(plain)]) == 2
    assert "the caption set itself" in capsys.readouterr().err
    assert main([*words, "--out", str(manifest.root)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert main([*words, "--out", "x", "--price-in", "1"]) == 2
    assert "--price-out" in capsys.readouterr().err


def test_export_and_import(
    plain: Path, manifest: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, back = str(tmp_path / "out"), str(tmp_path / "back")
    assert main(["caption", "export", str(plain), "--modalities", "rgb,tir", "--out", out]) == 0
    assert main(["caption", "import", out, "--data", str(manifest.root), "--out", back, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.split("\n", 1)[1])
    assert (said["items"], said["joined"], said["slots"]) == (4, 4, 10)
    assert said["covered"] == said["words"]
    assert read_caption_set(back).table.values("a", "rgb") == MAN
    again = str(tmp_path / "again")
    assert main(["caption", "export", back, "--out", again]) == 0
    for path in Path(out).iterdir():
        assert path.read_bytes() == (Path(again) / path.name).read_bytes()
    assert main(["caption", "import", out, "--data", str(manifest.root), "--out", back]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--modalities", "rgb,xir"], ["--split", "train"]])
def test_what_is_not_held_cannot_be_exported(
    more: list[str], plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["caption", "export", str(plain), *more, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert (
        f"{more[0][2:].replace('modalities', 'modality')} {more[1].split(',')[-1]}. Allowed: test_RGB" in said
    )
    assert not out.exists()


def test_show_says_where_values_come_from(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = {"upper": {"value": "coat", "confidence": 0.9}, "shoes": {"value": "\x1b[2J<b>", "confidence": 2}}
    raw |= {
        "carrying": {"value": "unknown", "confidence": 0.9},
        "lower": {"value": "unknown", "confidence": 0.9},
    }
    with AnswerLog(plain / "answers.jsonl") as log:
        log.append(Record("eye\x1b[31m", "f", "a", "rgb", Reply("answered", raw=json.dumps(raw))))
        log.append(Record("eye\x1b[31m", "f", "b", "rgb", Reply("failed", error="no connection")))
    assert main(["caption", "show", "a", "--captions", str(plain)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    for text in ("He is wearing a red coat.", "0.90", "upper coat 0.90", "shoes: value not allowed", "tir"):
        assert text in out
    assert "said unknown of carrying, lower" in out
    assert main(["caption", "show", "b", "--captions", str(plain)]) == 0
    assert "failed" in capsys.readouterr().out
    assert main(["caption", "show", "a", "--captions", str(plain), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["captions"].values()
    assert [entry["modality"] for entry in found] == ["rgb", "tir", "rgb"]
    assert found[2]["claims"] == {"upper": {"value": "coat", "confidence": 0.9}}
    for name in ("a.png", "r/a.png"):
        assert main(["caption", "show", name, "--captions", str(plain), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["captions"] == {str(plain): found}
    assert main(["caption", "show", "a", "--captions", str(plain), str(plain / "text")]) == 0
    out = capsys.readouterr().out
    assert f"{plain}, rgb:" in out
    assert f"{plain / 'text'}, test rgb:" in out
    assert main(["caption", "show", "nobody", "--captions", str(plain)]) == 2
    assert "'nobody'" in capsys.readouterr().err


def test_show_reads_published_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{Grammar(PERSON).caption(MAN)} \x1b[31mZebras gallop."
    folder = write_published(tmp_path / "next", {"test_RGB": [("a.jpg", text)], "train_NI": [("b.jpg", "")]})
    for name in ("a", "a.jpg"):
        assert main(["caption", "show", name, "--captions", str(folder)]) == 0
        out = capsys.readouterr().out
        assert "carrying backpack" in out
        assert "not understood" in out
        assert "Zebras gallop" in out
        assert "\x1b" not in out
    assert main(["caption", "show", "b", "--captions", str(folder)]) == 0
    assert "nothing that is understood" in capsys.readouterr().out
