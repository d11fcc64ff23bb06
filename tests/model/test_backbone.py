"""Our packed path through CLIP equals transformers' own, and sentences are told apart."""

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from nextreid.errors import InputError
from nextreid.model.backbone import Clip, load_clip
from nextreid.model.encoder import MultiModalEncoder
from nextreid.model.sentences import SentenceEncoder, select_prompts
from nextreid.observation import Sentence

from conftest import CORPUS, make_batch  # isort: skip


def vit_b16():
    torch.manual_seed(0)
    vision = {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    }
    vision |= {"image_size": 224, "patch_size": 16}
    text = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
    return CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=512)).eval()


@pytest.mark.parametrize("size", [(224, 224), (256, 128)])
def test_tokens_equal_those_of_transformers(tmp_path, size):
    """Mixed presence, packed over modalities, with our embeddings at zero; from a CLIP folder."""
    vit_b16().save_pretrained(tmp_path)
    reference = CLIPModel.from_pretrained(tmp_path).eval()
    encoder = MultiModalEncoder(
        CLIPModel.from_pretrained(tmp_path).eval(),
        modalities=("rgb", "nir", "tir"),
        cameras=("1", "2"),
        size=size,
        dense="value",
    ).eval()
    present = [[1, 0, 1], [1, 1, 0]]
    batch = make_batch(2, present=present, size=size, camera=("1", None))
    with torch.no_grad():
        tokens = encoder(batch)
        for b in range(2):
            for c, name in enumerate(batch.modalities):
                if not present[b][c]:
                    assert tokens.classes[b, c].abs().max() == 0
                    continue
                vision = reference.vision_model
                out = vision(batch.images[name][b : b + 1], interpolate_pos_encoding=True)
                cls = reference.visual_projection(out.pooler_output)[0]
                patches = reference.visual_projection(vision.post_layernorm(out.last_hidden_state))[0, 1:]
                assert (tokens.classes[b, c] - cls).norm() <= 1e-5 * cls.norm()
                assert (tokens.patches[b, c] - patches).norm() <= 1e-5 * patches.norm()


def test_distinct_sentences_have_distinct_embeddings_whatever_the_padding():
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    a, b = "a man in a red jacket", "a man in a red jacket with blue jeans and a very long tail of words"
    encoder = SentenceEncoder(clip.model, clip.tokenizer)
    alone, beside = encoder([a]), SentenceEncoder(clip.model, clip.tokenizer)([b, a])
    assert torch.equal(alone[0], beside[1])  # to the bit: a resumed run fills its cache in another order
    padded = clip.tokenizer([a, b], padding=True, return_tensors="pt")
    with torch.no_grad():
        pooled = clip.model.text_model(**padded).pooler_output
        vectors = torch.nn.functional.normalize(clip.model.text_projection(pooled), dim=-1)
    torch.testing.assert_close(encoder([a, b]), vectors, atol=1e-5, rtol=1e-5)
    many = [
        f"a {c} {g} on a {w}"
        for c in ("red", "blue", "grey")
        for g in ("coat", "hat")
        for w in ("man", "boy")
    ]
    vectors = SentenceEncoder(clip.model, clip.tokenizer)(many)
    nearest = torch.cdist(vectors, vectors) + torch.eye(len(many)) * 9
    assert nearest.min() > 1e-3


def test_each_distinct_sentence_is_encoded_once():
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    encoder = SentenceEncoder(clip.model, clip.tokenizer)
    calls = []
    inner = encoder._encode
    encoder._encode = lambda s: calls.append(s) or inner(s)
    encoder(["a", "b", "a"])
    encoder(["b", "c"])
    assert calls == ["a", "b", "c"]


def test_too_long_a_sentence_is_said_to_be_cut():
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    with pytest.warns(UserWarning, match="77"):
        SentenceEncoder(clip.model, clip.tokenizer)(["word " * 200])


def test_special_tokens_are_named_in_the_text_configuration():
    clip = load_clip("builtin:small", corpus=CORPUS)
    text = clip.model.config.text_config
    ids = (text.bos_token_id, text.eos_token_id, text.pad_token_id)
    assert ids == (clip.tokenizer.bos_token_id, clip.tokenizer.eos_token_id, clip.tokenizer.pad_token_id)
    assert len(set(ids)) == 3
    assert text.eos_token_id != 2


def test_builtin_weights_depend_on_the_seed_alone():
    a, b, c = (load_clip("builtin:tiny", corpus=CORPUS, seed=s).model.state_dict() for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)


@pytest.mark.parametrize("name", ["builtin:huge", "no/such/folder/anywhere"])
def test_an_unknown_backbone_says_what_is_allowed(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="builtin:small"):
        load_clip(name)


def test_a_clip_folder_loads_with_its_tokenizer(tmp_path):
    clip = load_clip("builtin:tiny", corpus=CORPUS)
    clip.model.save_pretrained(tmp_path)
    clip.tokenizer.save_pretrained(tmp_path)
    again = load_clip(tmp_path)
    assert isinstance(again, Clip)
    assert again.origin == "clip"
    one = SentenceEncoder(clip.model, clip.tokenizer)(["a red hat"])
    two = SentenceEncoder(again.model, again.tokenizer)(["a red hat"])
    torch.testing.assert_close(one, two)


def sentence(text, group="who", confidence=None, evidence=("rgb",)):
    return Sentence(group=group, text=text, confidence=confidence, evidence=frozenset(evidence))


def test_a_sentence_whose_evidence_is_absent_is_never_used():
    import numpy as np

    sentences = [sentence("seen in rgb"), sentence("seen in both", evidence=("rgb", "tir"))]
    for rng in (None, *(np.random.default_rng(s) for s in range(50))):
        heard = select_prompts(sentences, groups=("who",), present=frozenset({"tir", "nir"}), rng=rng)
        assert heard == ((),)
    both = select_prompts(sentences, groups=("who",), present=frozenset({"rgb", "tir"}))
    assert [text for text, _ in both[0]] == ["seen in rgb", "seen in both"]


def test_sentences_are_drawn_in_proportion_to_confidence_and_filtered_by_threshold():
    import numpy as np

    sentences = [
        sentence("sure", confidence=0.9),
        sentence("less", confidence=0.3),
        sentence("bad", confidence=0.1),
    ]
    rng = np.random.default_rng(0)
    drawn = [
        select_prompts(sentences, groups=("who",), present=frozenset({"rgb"}), threshold=0.2, rng=rng)[0][0][
            0
        ]
        for _ in range(4000)
    ]
    assert "bad" not in drawn
    assert abs(drawn.count("sure") / 4000 - 0.75) < 0.03
    weights = select_prompts(sentences, groups=("who",), present=frozenset({"rgb"}), threshold=0.2)
    assert weights == ((("sure", 0.9), ("less", 0.3)),)


def test_caption_dropout_is_per_expert():
    import numpy as np

    sentences = [sentence("a"), sentence("b", group="hair")]
    rng = np.random.default_rng(0)
    rows = [
        select_prompts(sentences, groups=("who", "hair"), present=frozenset({"rgb"}), rng=rng, dropout=0.2)
        for _ in range(2000)
    ]
    empty = np.array([[not g for g in row] for row in rows])
    assert np.all(np.abs(empty.mean(axis=0) - 0.2) < 0.03)
    assert abs(np.mean(empty[:, 0] & empty[:, 1]) - 0.04) < 0.02
