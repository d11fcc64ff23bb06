"""A model folder gives back the same model, or says what is wrong with it."""

import json

import pytest
import torch

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained, load_model, save_model, weights_sha256

from conftest import CORPUS, MODALITIES, SIZE, make_batch, make_model  # isort: skip


@pytest.fixture
def saved(tmp_path):
    schema = load_schema("person").to_dict()
    architecture = Architecture(modalities=MODALITIES, schema=schema, size=SIZE, cameras=("1", "2"))
    model = build_model(architecture, load_clip("builtin:tiny", corpus=CORPUS), seed=4).eval()
    whole = Pretrained(model=model, architecture=architecture, origin="scratch", notes={"seed": 4})
    return whole, save_model(whole, tmp_path / "model")


def test_a_saved_model_gives_the_same_vectors(saved):
    whole, folder = saved
    again = load_model(folder)
    assert again.architecture == whole.architecture
    assert dict(again.notes) == {"seed": 4}
    prompts = ((((("a man in a red jacket", 1.0),),) + ((),) * 3),) * 2
    with torch.no_grad():
        a = whole.model(make_batch(2, prompts=prompts)).embedding()
        b = again.model(make_batch(2, prompts=prompts)).embedding()
    assert torch.equal(a, b)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer",
    ]
    assert not list(folder.rglob("*.bin"))
    assert not list(folder.rglob("*.pkl"))


def test_nothing_but_weights_is_replaced(saved, tmp_path):
    whole, _ = saved
    place, file, mine = tmp_path / "thesis", tmp_path / "manifest.csv", tmp_path / "new.old"
    for folder in (place, mine):
        folder.mkdir()
        (folder / "thesis.txt").write_text("years")
    file.write_text("observation,rgb\n")
    with pytest.raises(InputError, match=r"holds other files: thesis\.txt"):
        save_model(whole, place)
    with pytest.raises(InputError, match=r"manifest\.csv is a file"):
        save_model(whole, file)
    (tmp_path / "new").mkdir()  # an empty one may be filled
    save_model(whole, tmp_path / "new")
    save_model(whole, tmp_path / "new")
    assert (place / "thesis.txt").read_text() == (mine / "thesis.txt").read_text() == "years"
    assert file.read_text() == "observation,rgb\n"


def test_saving_again_replaces_the_folder_and_changes_no_hash(saved):
    whole, folder = saved
    before = weights_sha256(folder)
    save_model(whole, folder)
    assert weights_sha256(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def damage_truncate(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def damage_missing(folder):
    (folder / "model.safetensors").unlink()


def damage_json(folder):
    (folder / "config.json").write_text("{")


def damage_format(folder):
    (folder / "config.json").write_text(json.dumps({"format": "other"}))


def damage_architecture(folder):
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["structure_experts"] = 5
    (folder / "config.json").write_text(json.dumps(config))


def damage_key(folder):
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["colour"] = "red"
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damage_truncate, "model.safetensors"),
        (damage_missing, "model.safetensors"),
        (damage_json, "JSON"),
        (damage_format, "nextreid.model/1"),
        (damage_architecture, "model.safetensors"),
        (damage_key, "colour"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(saved, damage, says):
    _, folder = saved
    damage(folder)
    with pytest.raises(InputError, match=says):
        load_model(folder)


def test_a_folder_that_is_no_model_is_an_error(tmp_path):
    with pytest.raises(InputError, match="not a model folder"):
        load_model(tmp_path)


def test_bf16_is_close_to_fp32_and_trains():
    model = make_model(text_loss=True, mmfa_keys="tokens").train()
    prompts = (((("a man", 1.0),), (), (), ()),) * 4
    mixed = [[1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 1]]
    batch = make_batch(4, present=mixed, noise_seed=torch.arange(4), prompts=prompts)
    with torch.no_grad():
        exact = model(batch).embedding()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(batch)
        loss = sum(f.float().square().mean() for f in out.branches.values()) + out.auxiliary["text"]
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    cosine = torch.nn.functional.cosine_similarity(exact, out.embedding().detach(), dim=1)
    assert cosine.min() > 0.98


def test_parameter_groups_hold_every_trainable_parameter_once():
    model = make_model(camera_embedding=True, cameras=("1",))
    groups = model.parameter_groups()
    listed = [id(p) for group in groups.values() for p in group]
    assert sorted(listed) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert id(model.encoder.visual.modality.weight) in {id(p) for p in groups["new"]}
    assert id(model.encoder.visual.projection.weight) in {id(p) for p in groups["backbone"]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": (70, 32)}, "multiples of 16"),
        ({"rho": 0.0}, "rho"),
        ({"structure_experts": 0}, "structure_experts"),
    ],
)
def test_settings_out_of_range_are_errors(changes, says):
    with pytest.raises(InputError, match=says):
        make_model(**changes)
