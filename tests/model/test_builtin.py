"""Backbones that need no network: which there are, that they load, and that nothing asks a hub."""

import time

import pytest
import torch

from nextreid.errors import InputError
from nextreid.hub import hub_answers
from nextreid.model import builtin, clip_published
from nextreid.model.backbone import load_clip
from nextreid.model.clip_card import model_card
from nextreid.model.folder import weights_sha256

from clip_cases import CORPUS, make_folder, make_notes  # isort: skip


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An installation that holds one trained backbone."""
    root = tmp_path / "weights"
    make_folder(root / "clip-small")
    monkeypatch.setattr(builtin, "weights_root", lambda: root)
    return root


def test_a_shipped_backbone_has_its_own_tokenizer_and_no_seed(weights):
    a = load_clip("builtin:clip-small", corpus=["other words"], seed=1)
    b = load_clip("builtin:clip-small", seed=2)
    assert a.origin == b.origin == "builtin"
    assert (
        a.tokenizer.get_vocab()
        == b.tokenizer.get_vocab()
        == load_clip("builtin:tiny", corpus=CORPUS).tokenizer.get_vocab()
    )
    states = a.model.state_dict(), b.model.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_an_installation_says_which_backbones_it_holds(weights):
    assert builtin.shipped() == ("builtin:clip-small",)
    assert builtin.available() == ("builtin:clip-small", "builtin:small", "builtin:tiny")
    with pytest.raises(
        InputError, match=r"does not hold.*Allowed: builtin:clip-small, builtin:small"
    ) as caught:
        load_clip("builtin:clip-small-without-tir")
    assert "without-tir, " not in str(caught.value)
    assert "`nextreid pretrain --out DIR --leave-out tir`" in str(caught.value)
    with pytest.raises(InputError, match=r"There is no backbone 'builtin:clip-huge'"):
        load_clip("builtin:clip-huge")
    with pytest.raises(InputError, match="builtin:clip-small"):
        load_clip("no/such/folder")


@pytest.mark.parametrize("name", ["builtin:", "builtin:../weights/clip-small", "builtin:clip-small/"])
def test_a_name_is_no_path(weights, name):
    with pytest.raises(InputError, match="There is no backbone"):
        load_clip(name)


def test_without_network_a_hub_id_is_refused_at_once_and_only_one_question_is_asked(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def refuse(url, **others):
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    load_clip("builtin:tiny")  # transformers is imported
    begin = time.perf_counter()
    with pytest.raises(InputError, match=r"(?s)'nobody/nothing@v1' cannot be loaded.*network"):
        load_clip("nobody/nothing@v1")
    assert time.perf_counter() - begin < 2
    assert asked == ["https://huggingface.co/nobody/nothing/resolve/v1/config.json"]


def test_a_name_below_a_folder_that_is_here_is_a_mistyped_path(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(InputError, match="There is no CLIP folder runs/clip-smal"):
        load_clip("runs/clip-smal")


@pytest.mark.parametrize("answer", [True, False])
def test_the_hub_is_used_where_it_answers_and_else_its_cache(monkeypatch, answer):
    """What is handed to transformers; a checkpoint in the cache loads without network."""
    seen = []
    monkeypatch.setattr(clip_published, "hub_answers", lambda name, revision: answer)

    def stop(name, where):
        seen.append((name, where))
        raise InputError("enough")

    monkeypatch.setattr(clip_published, "_check_type", stop)
    with pytest.raises(InputError, match="enough"):
        load_clip("someone/clip@abc")
    assert seen == [("someone/clip", {"revision": "abc", "local_files_only": not answer})]


def test_a_hub_that_says_no_has_answered(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    class NotThereError(HfHubHTTPError):
        def __init__(self):
            pass

    def say_no(url, **others):
        raise NotThereError

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", say_no)
    assert hub_answers("someone/clip", "main")


def test_the_card_says_everything_that_the_notes_hold(tmp_path):
    folder = make_folder(tmp_path / "clip")
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n")
    said = (
        "    nextreid pretrain --out clip --seed 5\n",
        "| seed | 5 |",
        "| steps | 1,200 |",
        "| images seen | 76,800 |",
        "| wall time | 61 s |",
        "| hardware | two cores of a laptop |",
        "| left out | no modality |",
        "| weights chosen | last step |",
        "| person | a | 12 | 96 | 192x96 |",
        "| vehicle | b | 7 | 14 | 96x192 |",
        "| optimizer | AdamW |",
        "| rate | 0.001 |",
        "nextreid 0.1, torch 2.9",
        "3.0000 at step 1, 0.7500 at step 1200",
        weights_sha256(folder),
        "has never seen a real camera",
        "person and vehicle observations in rgb, nir and tir",
        "MIT",
    )
    for words in said:
        assert words in card, words


def test_worlds_that_differ_in_the_seed_alone_share_a_row():
    world = {"kind": "person", "seed": 7, "identities": 5, "size": [192, 96]}
    worlds = [world, {**world, "seed": 8}, {**world, "seed": 10}, {**world, "seed": 11, "identities": 6}]
    card = model_card(make_notes(worlds=worlds))
    assert "| worlds | kind | seed | identities | size |" in card
    assert "| 2 | person | 7 to 8 | 5 | 192x96 |" in card
    assert "| 1 | person | 10 | 5 | 192x96 |" in card
    assert "| 1 | person | 11 | 6 | 192x96 |" in card


def test_the_card_of_a_variant_says_what_it_lacks():
    card = model_card(make_notes(left_out="nir", class_token_only=True, loss=(), worlds=()))
    assert "observations in rgb and tir" in card
    assert "| left out | nir |" in card
    assert "never seen a nir image" in card
    assert "class token only" in card
    assert "does not point" in card
    assert "None" not in card
    plain = model_card(make_notes())
    assert "does not point" not in plain
    assert "never seen a nir" not in plain


def test_a_bar_or_a_line_end_does_not_break_a_table():
    card = model_card(make_notes(hardware="a | b\nc", settings={"betas": [0.9, 0.98]}))
    assert "| hardware | a \\| b c |" in card
    assert "| betas | 0.9, 0.98 |" in card


def test_a_checkpoint_in_the_cache_loads_where_the_hub_does_not_answer(tmp_path, monkeypatch):
    """The cache is laid out by hand, as huggingface_hub documents it: a name stands for a commit."""
    import huggingface_hub

    def refuse(url, **others):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    commit, place = "a" * 40, tmp_path / "models--someone--clip"
    folder = make_folder(place / "snapshots" / commit, half=True)
    (folder / "pretraining.json").unlink()
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(commit)
    clip = load_clip("someone/clip")
    assert clip.origin == "clip"
    assert clip.model.dtype == torch.float32
    assert clip.tokenizer("a red hat")["input_ids"] == load_clip(folder).tokenizer("a red hat")["input_ids"]
    with pytest.raises(InputError, match=r"'someone/clip@v2' cannot be loaded"):
        load_clip("someone/clip@v2")
