"""A CLIP folder gives back the same CLIP, here and in transformers, or says what is wrong with it."""

import json
import shutil
import socket
import struct

import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.clip_folder import read_notes, save_clip
from nextreid.model.folder import weights_sha256
from nextreid.model.pretrained import Pretrained, load_model, save_model
from nextreid.model.pretraining_notes import PretrainingNotes

from clip_cases import CORPUS, make_folder, make_notes  # isort: skip
from conftest import MODALITIES, SIZE, make_batch  # isort: skip

SENTENCES = ["a woman in a red jacket", "a man carrying a black backpack", "Ünknown wörds"]


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to open a connection or to ask for a name is an error."""

    def refuse(*words, **others):
        raise AssertionError("this must not need a network")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def embeddings(model, tokenizer):
    pixels = torch.randn(3, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        tokens = tokenizer(SENTENCES, padding=True, return_tensors="pt")
        image = model.visual_projection(
            model.vision_model(pixels, interpolate_pos_encoding=True).pooler_output
        )
        text = model.text_projection(model.text_model(**tokens).pooler_output)
    return image, text


def header(path):
    """Read the header of a safetensors file without the library."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length])


def test_full_precision_comes_back_to_the_bit(tmp_path, no_network):
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    again = load_clip(save_clip(clip, tmp_path / "clip", half=False, notes=make_notes()))
    for a, b in zip(
        embeddings(clip.model, clip.tokenizer), embeddings(again.model, again.tokenizer), strict=True
    ):
        assert torch.equal(a, b)


def test_half_precision_comes_back_within_its_rounding(tmp_path):
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    before = {name: tensor.clone() for name, tensor in clip.model.state_dict().items()}
    folder = save_clip(clip, tmp_path / "clip", half=True, notes=make_notes())
    assert all(torch.equal(before[name], tensor) for name, tensor in clip.model.state_dict().items())
    again = load_clip(folder)
    assert {tensor.dtype for tensor in again.model.state_dict().values()} == {torch.float32}
    for name, tensor in again.model.state_dict().items():
        assert torch.equal(tensor, before[name].half().float()), name
    for a, b in zip(
        embeddings(clip.model, clip.tokenizer), embeddings(again.model, again.tokenizer), strict=True
    ):
        # 2**-11 per weight; a few layers add up to some thousandths
        assert 0 < (a - b).norm() <= 5e-3 * a.norm()
    kinds = {entry["dtype"] for name, entry in header(folder / "model.safetensors").items() if name[0] != "_"}
    assert kinds == {"F16"}


@pytest.mark.parametrize("half", [True, False])
def test_transformers_reads_the_folder_too(tmp_path, half, no_network):
    folder = make_folder(tmp_path / "clip", half=half)
    ours = load_clip(folder)
    model, report = CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values())
    assert model.dtype == (torch.float16 if half else torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer(SENTENCES)["input_ids"] == ours.tokenizer(SENTENCES)["input_ids"]
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32)
    for a, b in zip(embeddings(ours.model, ours.tokenizer), embeddings(model.eval(), tokenizer), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)  # theirs: another attention kernel


def test_what_is_read_is_ours_and_computes_attention_as_it_was_saved(tmp_path):
    clip = load_clip(make_folder(tmp_path / "clip"))
    assert clip.origin == "builtin"
    assert clip.model.config._attn_implementation == "eager"
    assert clip.model.vision_model.config._attn_implementation == "eager"
    assert not clip.model.training


def test_a_folder_of_others_is_of_origin_clip(tmp_path):
    folder = make_folder(tmp_path / "clip")
    (folder / "pretraining.json").unlink()
    clip = load_clip(folder)
    assert clip.origin == "clip"
    assert clip.model.dtype == torch.float32


def test_files_hash_and_permissions(tmp_path):
    folder = make_folder(tmp_path / "clip")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "README.md",
        "config.json",
        "model.safetensors",
        "pretraining.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    sha256 = weights_sha256(folder)
    assert read_notes(folder).weights_sha256 == sha256
    assert sha256 in (folder / "README.md").read_text()
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    make_folder(folder)
    assert weights_sha256(folder) == sha256
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_reading_draws_no_random_number(tmp_path):
    folder = make_folder(tmp_path / "clip")
    torch.manual_seed(3)
    wanted = torch.rand(4)
    torch.manual_seed(3)
    load_clip(folder)
    assert torch.equal(torch.rand(4), wanted)


def test_weights_that_float16_cannot_hold_are_refused_and_nothing_is_left(tmp_path):
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    folder = save_clip(clip, tmp_path / "clip", half=True, notes=make_notes())
    before = weights_sha256(folder)
    with torch.no_grad():
        clip.model.visual_projection.weight[0, 0] = 7e4
    with pytest.raises(InputError, match=r"visual_projection.*65504"):
        save_clip(clip, folder, half=True, notes=make_notes())
    assert weights_sha256(folder) == before
    save_clip(clip, folder, half=False, notes=make_notes())
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_an_interrupted_write_leaves_the_old_folder(tmp_path, monkeypatch):
    folder = make_folder(tmp_path / "clip")
    before = weights_sha256(folder)
    clip = load_clip(folder)
    monkeypatch.setattr(
        type(clip.tokenizer), "save_pretrained", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        save_clip(clip, folder, half=False, notes=make_notes())
    assert weights_sha256(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def another_model(folder):
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))


def of_another_kind(folder):
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "bert"}
    (folder / "config.json").write_text(json.dumps(config))


def nonsense_config(folder):
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["hidden_size"] = "wide"
    (folder / "config.json").write_text(json.dumps(config))


def another_tokenizer(folder):
    more = load_clip("builtin:tiny", corpus=[*CORPUS, "quite other wording, and more of it than before"])
    more.tokenizer.save_pretrained(folder)


DAMAGES = [
    (truncated, "model.safetensors cannot be loaded"),
    (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors cannot be loaded"),
    (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
    (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer.json"),
    (lambda f: (f / "tokenizer.json").write_text("{}"), "tokenizer.json cannot be read"),
    (lambda f: (f / "config.json").unlink(), "has no config.json"),
    (lambda f: (f / "config.json").write_text("{"), "config.json is not valid JSON"),
    (lambda f: (f / "config.json").write_text("[]"), "config.json holds a list"),
    (lambda f: (f / "pretraining.json").write_text("{}"), r"pretraining\.json: .*missing keys.*command"),
    (another_model, "model.safetensors cannot be loaded.*layers.2"),
    (of_another_kind, "'bert'.*clip"),
    (nonsense_config, "describes no CLIP"),
    (another_tokenizer, "tokenizer.*text tower knows"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGES, ids=[says for _, says in DAMAGES])
def test_a_damaged_folder_of_ours_says_what_is_wrong(tmp_path, damage, says, no_network):
    folder = make_folder(tmp_path / "clip")
    damage(folder)
    with pytest.raises(InputError, match=f"(?s){says}"):
        load_clip(folder)


FOREIGN = [
    (truncated, "cannot be loaded"),
    (lambda f: (f / "model.safetensors").unlink(), "cannot be loaded.*converted once"),
    (another_model, "lacks 16 weights"),
    (of_another_kind, "'bert'.*clip"),
    (lambda f: [p.unlink() for p in f.glob("tokenizer*")], "tokenizer|cannot be loaded"),
    (lambda f: (f / "tokenizer.json").write_text("{}"), "cannot be loaded"),
    (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
    (nonsense_config, "cannot be loaded"),
    (another_tokenizer, "tokenizer.*text tower knows"),
]


@pytest.mark.parametrize(("damage", "says"), FOREIGN)
def test_a_damaged_folder_of_others_says_what_is_wrong(tmp_path, damage, says, no_network):
    folder = make_folder(tmp_path / "clip", half=False)
    (folder / "pretraining.json").unlink()
    damage(folder)
    with pytest.raises(InputError, match=f"(?s){says}"):
        load_clip(folder)


def test_a_name_with_an_at_sign_may_be_a_folder(tmp_path, no_network):
    folder = make_folder(tmp_path / "clip@home")
    assert load_clip(folder).origin == "builtin"
    (folder / "pretraining.json").unlink()
    assert load_clip(folder).origin == "clip"


def test_a_model_around_a_pretrained_backbone_saves_and_loads_equal(tmp_path, no_network):
    """With the backbone's folder gone, and its tokenizer, attention and origin kept."""
    folder = make_folder(tmp_path / "clip")
    clip = load_clip(folder)
    schema = load_schema("person").to_dict()
    architecture = Architecture(modalities=MODALITIES, schema=schema, size=SIZE)
    whole = Pretrained(build_model(architecture, clip, seed=1).eval(), architecture, clip.origin, {})
    save_model(whole, tmp_path / "model")
    shutil.rmtree(folder)
    again = load_model(tmp_path / "model")
    assert again.origin == "builtin"
    assert again.model.encoder.visual.vision.config._attn_implementation == "eager"
    batch = make_batch(2, prompts=((((("a man in a red jacket", 1.0),),) + ((),) * 3),) * 2)
    with torch.no_grad():
        a, b = whole.model(batch), again.model(batch)
    assert torch.equal(a.embedding(), b.embedding())
    assert torch.equal(a.text_vector, b.text_vector)
    assert torch.equal(whole.model.sentences(SENTENCES), again.model.sentences(SENTENCES))


def test_a_model_folder_without_its_tokenizer_says_so_at_once(tmp_path, no_network):
    architecture = Architecture(modalities=MODALITIES, schema=load_schema("person").to_dict(), size=SIZE)
    model = build_model(architecture, load_clip("builtin:tiny", corpus=CORPUS))
    folder = save_model(Pretrained(model, architecture, "scratch", {}), tmp_path / "model")
    shutil.rmtree(folder / "tokenizer")
    with pytest.raises(InputError, match=r"no tokenizer\.json"):
        load_model(folder)


def test_notes_come_back_and_say_what_they_lack(tmp_path):
    notes = make_notes(left_out="tir", class_token_only=True)
    read = read_notes(make_folder(tmp_path / "clip", left_out="tir", class_token_only=True))
    assert read.left_out == "tir"
    assert [list(row) for row in read.loss] == notes.loss
    lines = (tmp_path / "clip" / "pretraining.json").read_text().splitlines()
    assert "  [1, 3.0, 2.0, 1.0]," in lines
    assert read_notes(make_folder(tmp_path / "bare", loss=())).loss == []
    assert PretrainingNotes.from_dict(json.loads(json.dumps(read.to_dict()))).to_dict() == read.to_dict()
    values = notes.to_dict()
    del values["seed"]
    with pytest.raises(InputError, match="seed"):
        PretrainingNotes.from_dict(values)
    with pytest.raises(InputError, match="colour"):
        PretrainingNotes.from_dict(notes.to_dict() | {"colour": "red"})
    with pytest.raises(InputError, match=r"nextreid.pretraining/1"):
        PretrainingNotes.from_dict(notes.to_dict() | {"format": "other/2"})
    with pytest.raises(InputError, match="missing keys"):
        save_clip(load_clip("builtin:tiny"), tmp_path / "other", half=True, notes={})
    assert not (tmp_path / "other").exists()


def test_a_backbone_says_which_modalities_it_saw(tmp_path):
    worlds = [{"kind": "person", "modalities": ["rgb", "nir", "tir"]}]
    folder = make_folder(tmp_path / "clip", worlds=worlds, left_out="tir")
    assert load_clip(folder).saw == ("rgb", "nir")
    assert make_notes(worlds=worlds, left_out=None).saw == ("rgb", "nir", "tir")
    assert load_clip("builtin:tiny", corpus=CORPUS).saw == ()  # random weights
