"""The equations of the model, each by a test that can fail."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from nextreid.errors import InputError
from nextreid.model.semantic import TextModulation
from nextreid.model.structure import agreement, mutual_information

from conftest import MODALITIES, SIZE, make_batch, make_model  # isort: skip

MIXED = [[1, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 1]]


def told(B=4, K=4, **cells):
    """Prompts with a sentence in the named cells, e.g. told(b0k1="short hair")."""
    rows = [[() for _ in range(K)] for _ in range(B)]
    for cell, text in cells.items():
        rows[int(cell[1])][int(cell[3])] = ((text, 1.0),)
    return tuple(tuple(row) for row in rows)


def slow_alpha(part, tokens, b, m, k):
    """alpha_mk of one observation, written with loops over the present modalities."""
    router, D = part.router, tokens.classes.shape[-1]
    norm = lambda layer, x: F.layer_norm(x, (D,), layer.weight, layer.bias)
    context = 0
    for other in range(3):
        if tokens.present[b, other]:
            context = context + norm(router.class_norm, tokens.classes[b, other]) @ router.source[other, k]
    query = context @ router.target[m, k]
    return torch.stack([query @ norm(router.patch_norm, p) for p in tokens.patches[b, m]]) / math.sqrt(D)


def slow_beta(part, tokens, text, b, m, k):
    cosine = torch.stack([F.cosine_similarity(text[b, k], p, dim=0) for p in tokens.patches[b, m]])
    return (cosine - cosine.mean()) / cosine.std(correction=0) * part.modulation.scale[k]


def test_semantic_experts_equal_a_slow_twin():
    model = make_model().eval()
    batch = make_batch(present=MIXED, prompts=told(b0k1="short curly hair", b2k0="a tall man"))
    with torch.no_grad():
        out = model(batch)
        tokens, part, routing = out.tokens, model.semantic, out.semantic
        text = model.sentences.compose(batch.prompts, model.generic)
        N = tokens.patches.shape[2]
        n = math.ceil(0.5 * N)
        for b in range(4):
            for k in range(4):
                betas = [
                    slow_beta(part, tokens, text, b, m, k) if tokens.present[b, m] else torch.zeros(N)
                    for m in range(3)
                ]
                channels = torch.stack([*betas, torch.zeros(N)])  # the last: a modality without a name
                vectors, logits = [], []
                for m in range(3):
                    if not tokens.present[b, m]:
                        continue
                    alpha = slow_alpha(part, tokens, b, m, k)
                    torch.testing.assert_close(routing.alpha[b, m, k], alpha, atol=1e-4, rtol=1e-4)
                    torch.testing.assert_close(routing.beta[b, m, k], betas[m], atol=1e-3, rtol=1e-3)
                    mod = part.modulation
                    gamma = torch.stack(
                        [
                            alpha[i]
                            + (
                                F.gelu(channels[:, i] @ mod.enter[k] + mod.enter_bias[k]) @ mod.leave[k]
                                + mod.leave_bias[k]
                            )[m]
                            for i in range(N)
                        ]
                    )
                    torch.testing.assert_close(routing.gamma[b, m, k], gamma, atol=1e-3, rtol=1e-3)
                    order = sorted(range(N), key=lambda i: (-routing.gamma[b, m, k, i].item(), i))[:n]
                    assert routing.kept[b, m, k].tolist() == order
                    for i in order:
                        x = tokens.patches[b, m, i]
                        e = part.experts
                        inner = F.gelu(F.layer_norm(x, x.shape) @ e.enter[k] + e.enter_bias[k])
                        h = x + inner @ e.leave[k] + e.leave_bias[k]
                        vectors.append(h)
                        logits.append(part.pooling[k] @ h + F.logsigmoid(gamma[i]))
                weights = torch.stack(logits).softmax(dim=0)
                pooled = sum(w * v for w, v in zip(weights, vectors, strict=True))
                torch.testing.assert_close(routing.pooled[b, k], pooled, atol=1e-3, rtol=1e-3)


def test_structure_experts_equal_a_slow_twin():
    model = make_model().eval()
    torch.nn.init.normal_(model.structure.context.weight, std=0.1)  # a context that matters
    with torch.no_grad():
        out = model(make_batch(present=MIXED))
        t, part, routing = out.tokens, model.structure, out.structure
        D, N, J = t.patches.shape[-1], t.patches.shape[2], 6
        for b in range(4):
            here = [m for m in range(3) if t.present[b, m]]
            c = torch.stack([t.classes[b, m] for m in here]).mean(dim=0)
            total = 0
            for m in here:
                rows = []
                for n in range(N):
                    x = F.layer_norm(t.patches[b, m, n], (D,), part.norm.weight, part.norm.bias)
                    inner = F.gelu(part.enter(x) * (1 + part.context(c)))
                    rows.append(part.leave(inner).softmax(dim=-1))
                r = torch.stack(rows)
                d = r / r.sum(dim=0)
                torch.testing.assert_close(routing.dispatch[b, m], d, atol=1e-5, rtol=1e-4)
                s = []
                for j in range(J):
                    e, acc = part.experts, 0
                    for n in range(N):
                        x = t.patches[b, m, n]
                        inner = F.gelu(F.layer_norm(x, (D,)) @ e.enter[j] + e.enter_bias[j])
                        acc = acc + d[n, j] * (x + inner @ e.leave[j] + e.leave_bias[j])
                    s.append(acc)
                torch.testing.assert_close(routing.by_column[b, m], torch.stack(s), atol=1e-4, rtol=1e-4)
                total = total + torch.stack(s)
            torch.testing.assert_close(routing.pooled[b], total / len(here), atol=1e-4, rtol=1e-4)


def test_dispatch_sums_to_one_per_expert_and_present_modality(model):
    out = model(make_batch(present=MIXED))
    sums = out.structure.dispatch.sum(dim=2)  # (B,C,J)
    present = torch.tensor(MIXED, dtype=torch.bool)
    torch.testing.assert_close(sums[present], torch.ones_like(sums[present]))
    assert sums[~present].abs().max() == 0
    torch.testing.assert_close(out.structure.routing.sum(dim=-1), torch.ones(4, 3, 8))


def test_pooled_output_feels_gamma():
    """Finite differences: the gate weighs the pooling, and nothing cancels it."""
    model = make_model().eval()
    batch = make_batch(2)
    with torch.no_grad():
        base = model(batch).semantic
        step = 1e-3
        changes = []
        for k in range(4):
            target = model.semantic.router.target
            keep = target.clone()
            target[:3, k] *= 1 + step  # alpha_k, hence gamma_k, moves
            moved = model(batch).semantic
            target.copy_(keep)
            assert torch.equal(moved.kept, base.kept)
            changes.append(((moved.pooled[:, k] - base.pooled[:, k]).norm() / step).item())
    assert min(changes) > 1e-3


def test_router_gradient_is_not_starved():
    model = make_model().train()
    out = model(make_batch(8, noise_seed=torch.arange(8)))
    target = torch.randn(8, model.widths["semantic"], generator=torch.Generator().manual_seed(3))
    (out.branches["semantic"] * target).sum().backward()
    router = torch.stack([p.grad.norm() for p in model.semantic.router.parameters()]).norm()
    expert = torch.stack([p.grad.norm() for p in model.semantic.experts.parameters()]).norm()
    assert router > 1e-3 * expert


def test_a_caption_moves_its_own_expert_and_no_other(model):
    with torch.no_grad():
        plain = model(make_batch()).semantic.gamma
        changed = model(make_batch(prompts=told(b1k2="long red hair, wearing glasses"))).semantic.gamma
    difference = (changed - plain).abs().amax(dim=(1, 3))  # (B,K)
    assert difference[1, 2] > 1e-3
    difference[1, 2] = 0
    assert difference.max() == 0


def test_other_observations_in_the_batch_change_nothing(model):
    big = make_batch(6, present=[*MIXED, [1, 1, 0], [0, 1, 0]], prompts=told(6, b0k0="a man"))
    with torch.no_grad():
        together = model(big).embedding()
        for i in range(6):
            one = type(big)(
                **{
                    **big.__dict__,
                    "images": {k: v[i : i + 1] for k, v in big.images.items()},
                    "present": big.present[i : i + 1],
                    "camera": (None,),
                    "prompts": big.prompts[i : i + 1],
                    "observation": ("x",),
                }
            )
            torch.testing.assert_close(model(one).embedding()[0], together[i], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["next", "concat", "moe"])
def test_absent_pixels_are_never_read_and_no_slot_is_a_constant(name):
    model = make_model(name=name).eval()
    clean = make_batch(present=MIXED)
    dirty = make_batch(present=MIXED)
    for c, m in enumerate(MODALITIES):
        dirty.images[m][~dirty.present[:, c]] = math.nan
    with torch.no_grad():
        a, b = model(clean), model(dirty)
    assert torch.equal(a.embedding(), b.embedding())
    assert torch.isfinite(b.embedding()).all()
    for present in ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]):
        with torch.no_grad():
            out = model(make_batch(6, present=[present] * 6))
        for feature in out.branches.values():
            slots = feature.view(6, -1, model.encoder.dim)
            assert slots.std(dim=0).amax(dim=-1).min() > 1e-6, (name, present)


def test_no_slot_is_a_constant_without_aggregation_and_with_query_residual():
    for changes in ({"mmfa": False}, {"mmfa_residual": "query"}, {"mmfa_keys": "tokens"}):
        model = make_model(**changes).eval()
        with torch.no_grad():
            out = model(make_batch(6, present=[[0, 0, 1]] * 6))
        for feature in out.branches.values():
            slots = feature.view(6, -1, model.encoder.dim)
            assert slots.std(dim=0).amax(dim=-1).min() > 1e-6


def test_an_unknown_modality_embeds_and_fills_slots_by_the_same_rule(model):
    batch = make_batch(
        3, modalities=(*MODALITIES, "depth"), present=[[0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 0]]
    )
    with torch.no_grad():
        out = model(batch)
        slots = out.branches["global"].view(3, 3, -1)
        depth = out.tokens.classes[0, 3]
        torch.testing.assert_close(slots[0], depth.expand(3, -1))
        torch.testing.assert_close(slots[1, 1], out.tokens.classes[1, [0, 3]].mean(dim=0))
        torch.testing.assert_close(slots[1, 0], out.tokens.classes[1, 0])
        known = model(make_batch(3)).embedding()
        torch.testing.assert_close(out.embedding()[2], known[2], atol=1e-5, rtol=1e-5)
    assert torch.isfinite(out.embedding()).all()


def test_a_dropped_name_is_the_unknown_modality(model):
    """Dropping a modality's name gives what an unknown modality with the same pixels gives."""
    named = torch.tensor([[True, True, False]])
    dropped = make_batch(1, named=named)
    extra = make_batch(1, modalities=(*MODALITIES, "depth"), present=[[1, 1, 0, 1]])
    for m in ("rgb", "nir"):
        extra.images[m].copy_(dropped.images[m])
    extra.images["depth"].copy_(dropped.images["tir"])
    with torch.no_grad():
        a, b = model(dropped).embedding(), model(extra).embedding()
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_noise_comes_from_each_observations_own_seed():
    model = make_model().train()
    seeds = torch.tensor([5, 6, 7, 8])
    with torch.no_grad():
        all_four = model(make_batch(noise_seed=seeds)).semantic.alpha
        again = model(make_batch(noise_seed=seeds)).semantic.alpha
        other = model(make_batch(noise_seed=seeds + 9)).semantic.alpha
        quiet = model.eval()(make_batch(noise_seed=seeds)).semantic.alpha
    assert torch.equal(all_four, again)
    assert not torch.allclose(all_four, other)
    assert 0.05 < (all_four - quiet).std() < 0.2  # softplus(s) starts at 0.1


def test_text_relevance_survives_the_narrow_cosines_of_clip():
    """Patch cosines of 0.2 +- 0.02 become unit-scale relevance."""
    part = TextModulation(roles=4, experts=1)
    model = make_model().eval()
    with torch.no_grad():
        tokens = model(make_batch(2)).tokens
        text = model.sentences(["a man"]).expand(2, 1, -1)
        beta = part.relevance(tokens, text)
    torch.testing.assert_close(beta.std(dim=-1, correction=0), torch.ones(2, 3, 1), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(beta.mean(dim=-1), torch.zeros(2, 3, 1), atol=1e-4, rtol=0)


SWITCHES = {
    "tmse": ({"tmse": False}, ("semantic.", "aggregation.semantic")),
    "text": ({"tmse_text": False}, ("semantic.modulation",)),
    "csse": ({"csse": False}, ("structure.", "aggregation.structure")),
    "mmfa": ({"mmfa": False}, ("aggregation.",)),
    "all": ({"tmse": False, "csse": False}, ("semantic.", "structure.", "aggregation.")),
}


@pytest.mark.parametrize("name", list(SWITCHES))
def test_a_switched_off_part_leaves_no_parameter_trains_and_changes_the_output(name):
    changes, prefixes = SWITCHES[name]
    whole, part = make_model(), make_model(**changes)
    assert all(any(key.startswith(p) for key in whole.state_dict()) for p in prefixes)
    assert not any(key.startswith(prefixes) for key in part.state_dict())
    with torch.no_grad():
        a, b = whole.eval()(make_batch()).embedding(), part.eval()(make_batch()).embedding()
    assert a.shape != b.shape or (a - b).abs().max() > 1e-4
    part.train()
    out = part(make_batch(noise_seed=torch.arange(4)))
    sum(f.square().sum() for f in out.branches.values()).backward()
    without = [n for n, p in part.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


@pytest.mark.parametrize("name", ["next", "concat", "moe"])
def test_every_trainable_parameter_gets_a_gradient_and_the_text_tower_none(name):
    model = make_model(name=name, camera_embedding=True, cameras=("1", "2")).train()
    out = model(make_batch(noise_seed=torch.arange(4), camera=("1", "2", "9", None)))
    sum(f.square().sum() for f in out.branches.values()).backward()
    for key, p in model.named_parameters():
        assert (p.grad is not None) == p.requires_grad, key
        assert p.requires_grad == (not key.startswith("sentences.")), key


def test_an_unknown_camera_is_the_absent_camera():
    model = make_model(camera_embedding=True, cameras=("1", "2")).eval()
    torch.nn.init.normal_(model.encoder.visual.camera.weight)
    with torch.no_grad():
        out = [model(make_batch(1, camera=(c,))).embedding() for c in ("1", "2", "77", None)]
    assert not torch.allclose(out[0], out[1])
    assert torch.equal(out[2], out[3])


def test_widths_are_those_of_the_papers_features():
    shapes = {name: make_model(name=name) for name in ("next", "concat", "moe")}
    with torch.no_grad():
        for model in shapes.values():
            out = model.eval()(make_batch())
            assert {k: v.shape[1] for k, v in out.branches.items()} == model.widths
    D = shapes["next"].encoder.dim
    assert sum(shapes["next"].widths.values()) == sum(shapes["concat"].widths.values()) == 9 * D
    assert sum(shapes["moe"].widths.values()) == 10 * D  # 5120 at D = 512


def test_embedding_has_unit_branches_and_obeys_weights(model):
    with torch.no_grad():
        out = model(make_batch())
    parts = out.embedding().split(list(model.widths.values()), dim=1)
    for part in parts:
        torch.testing.assert_close(part.norm(dim=1), torch.ones(4))
    weighted = out.embedding({"semantic": 0.5}).split(list(model.widths.values()), dim=1)
    torch.testing.assert_close(weighted[1], parts[1] * 0.5)
    torch.testing.assert_close(out.text_vector.norm(dim=1), torch.ones(4))


def test_mutual_information_knows_uniform_from_used():
    class Routing:
        def __init__(self, routing):
            self.routing = routing

    present = torch.ones(1, 1, dtype=torch.bool)
    uniform = Routing(torch.full((1, 1, 8, 4), 0.25))
    torch.testing.assert_close(mutual_information(uniform, present), torch.tensor(0.0), atol=1e-6, rtol=0)
    crisp = Routing(torch.eye(4).repeat(2, 1)[None, None])
    torch.testing.assert_close(
        mutual_information(crisp, present), torch.tensor(math.log(4)), atol=1e-6, rtol=0
    )
    collapsed = Routing(torch.eye(4)[:1].repeat(8, 1)[None, None])
    torch.testing.assert_close(mutual_information(collapsed, present), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_agreement_is_low_when_the_same_expert_gives_the_same():
    class Routing:
        def __init__(self, by_column):
            self.by_column = by_column

    same = torch.randn(1, 1, 6, 16, generator=torch.Generator().manual_seed(0)).repeat(1, 2, 1, 1)
    swapped = same.clone()
    swapped[:, 1] = swapped[:, 1].flip(1)
    present = torch.ones(1, 2, dtype=torch.bool)
    assert agreement(Routing(same), present) < 0.2 < 1 < agreement(Routing(swapped), present)
    assert agreement(Routing(same), torch.tensor([[True, False]])) == 0


def told_to(vectors):
    """Return tokens of observations whose images all have the same class token."""
    present = torch.ones(len(vectors), 3, dtype=torch.bool)
    return SimpleNamespace(classes=vectors[:, None].repeat(1, 3, 1), context=vectors, present=present)


def test_text_loss_rewards_the_own_sentence():
    model = make_model(text_loss=True).train()
    prompts = told(b0k0="a tall man", b1k0="a small girl", b2k0="a tall man")
    out = model(make_batch(prompts=prompts, noise_seed=torch.arange(4)))
    text = model.sentences(["a tall man", "a small girl"])
    right = told_to(torch.stack([text[0], text[1], text[0], text[0]]))
    wrong = told_to(right.context.flip(0))
    composed = model.sentences.compose(prompts, model.generic)
    batch = make_batch(prompts=prompts)
    assert model.text_match(right, composed, batch) < model.text_match(wrong, composed, batch)
    assert out.auxiliary["text"].requires_grad


def test_text_loss_equals_a_loop_and_starts_from_how_often_a_sentence_is_true():
    model = make_model(text_loss=True).train()
    prompts = told(b0k0="a tall man", b1k0="a small girl", b1k1="a red coat", b2k0="a tall man")
    batch = make_batch(prompts=prompts)
    composed = model.sentences.compose(prompts, model.generic)
    vector = torch.nn.functional.normalize(torch.randn(4, composed.shape[-1]), dim=-1)
    heard = {(0, "a tall man"): {0, 2}, (0, "a small girl"): {1}, (1, "a red coat"): {1}}
    expected = 0.0
    for (_, sentence), by in heard.items():
        share = len(by) / 4
        embedding = model.sentences([sentence])[0]
        for b in range(4):
            logit = 10 * float(vector[b] @ embedding) + math.log(share / (1 - share))
            chance = 1 / (1 + math.exp(-logit))
            expected -= math.log(chance if b in by else 1 - chance)
    assert float(model.text_match(told_to(vector), composed, batch)) == pytest.approx(expected / 4, rel=1e-5)


def test_a_sentence_is_asked_of_the_images_it_was_made_from():
    """Not of observations without them, nor of those whose same sentence other images made."""
    model = make_model(text_loss=True).train()
    prompts = told(b0k0="a tall man", b1k0="a tall man", b2k0="a tall man", b3k1="a red coat")
    rgb, both = frozenset({"rgb"}), frozenset({"nir", "tir"})
    seen = ((rgb, *[frozenset()] * 3), (both, *[frozenset()] * 3), (rgb, *[frozenset()] * 3))
    seen = (*seen, (frozenset(), rgb, frozenset(), frozenset()))
    present = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 0], [1, 1, 0]], dtype=torch.bool)
    batch = replace(make_batch(present=present, prompts=prompts), evidence=seen)
    composed = model.sentences.compose(prompts, model.generic)
    classes = torch.randn(4, 3, composed.shape[-1]) * present[..., None]
    tokens = SimpleNamespace(classes=classes, context=classes.sum(dim=1), present=present)
    man, coat = model.sentences(["a tall man", "a red coat"])
    asked = [  # sentence, columns, who is asked, of whom it is true
        (man, [0], [0, 2, 3], [0, 2]),  # made from RGB; the second has none
        (man, [1, 2], [1], [1]),  # of nir and tir: the first has both, but its sentence came from RGB
        (coat, [0], [0, 2, 3], [3]),
    ]
    expected = 0.0
    for sentence, columns, rows, true in asked:
        share = min(len(true) / len(rows), 1 - 0.5 / 4)
        for b in rows:
            vector = torch.nn.functional.normalize(classes[b, columns].mean(dim=0), dim=0)
            chance = 1 / (1 + math.exp(-10 * float(vector @ sentence) - math.log(share / (1 - share))))
            expected -= math.log(chance if b in true else 1 - chance)
    assert float(model.text_match(tokens, composed, batch)) == pytest.approx(expected / 4, rel=1e-4)


def test_text_loss_of_a_sentence_that_all_share_is_finite():
    model = make_model(text_loss=True).train()
    prompts = told(**{f"b{b}k0": "a tall man" for b in range(4)})
    composed = model.sentences.compose(prompts, model.generic)
    loss = model.text_match(told_to(composed[:, 0]), composed, make_batch(prompts=prompts))
    assert loss.isfinite()


def test_columns_in_another_order_are_an_error(model):
    with pytest.raises(InputError, match="rgb, nir, tir"):
        model(make_batch(modalities=("nir", "rgb", "tir")))


def test_images_of_another_size_are_an_error(model):
    with pytest.raises(InputError, match=f"{SIZE[0]}x{SIZE[1]}"):
        model(make_batch(size=(32, 32)))
