"""Batches: which pictures, moved how, and which text is true of which of them and where."""

from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from pretrain_cases import Spy, drawer_of, frequency_of, is_true, made_up_pack, shown, weight_of
from torch import Tensor
from torch.utils.data import DataLoader

from nextreid.errors import InputError
from nextreid.modality import NIR, TIR
from nextreid.pretraining import drawing
from nextreid.pretraining.drawing import BACKGROUND, COARSE, ENOUGH, SWAPPED, Drawer
from nextreid.pretraining.importance import RARELY
from nextreid.pretraining.sentences import Text
from nextreid.pretraining.steps import Steps, is_coarse
from nextreid.seeding import numpy_generator
from nextreid.synthetic.kinds import load_kind
from nextreid.synthetic.parts import OTHER


@pytest.fixture(scope="module")
def persons():
    return made_up_pack("person", 7, seed=1), made_up_pack("person", 4, seed=2)


@pytest.fixture(scope="module")
def vehicles():
    return made_up_pack("vehicle", 9, seed=3)


def spied(drawer):
    """Let a drawer's batches tell which pictures and texts they were made from."""
    for name in ("_pictures", "places"):
        setattr(drawer, name, Spy(getattr(drawer, name)))
    for name in ("singles", "draw"):
        setattr(drawer.vocabulary, name, Spy(getattr(drawer.vocabulary, name)))
    return drawer


def rows_of(drawer, call=-1):
    return drawer._pictures.calls[call][0][0]


def texts_of(drawer, call=-1):
    """Return the texts of a batch that are about its own kind, in order."""
    return drawer.vocabulary.singles.calls[call][1] + drawer.vocabulary.draw.calls[call][1]


def same(one, other, names=None):
    found = True
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if names is None or field.name in names:
            found &= torch.equal(a, b) if isinstance(a, Tensor) else a == b
    return found


# ------------------------------------------------------------------ pictures and masks


def test_shares_equal_loops(persons):
    drawer, masks = drawer_of(*persons), persons[0].masks[:, 0]
    shares = drawer._shares(masks, 16)
    b, height, width = masks.shape
    places = [*drawer.vocabulary.places, None]
    assert shares.shape == (b, (height // 16) * (width // 16), len(places))
    table = load_kind("person").table
    numbers = [{table.number(name) for name in parts} if parts else {BACKGROUND} for parts in places]
    for i in range(b):
        for n, (top, left) in enumerate((y, x) for y in range(0, height, 16) for x in range(0, width, 16)):
            block = masks[i, top : top + 16, left : left + 16].ravel().tolist()
            for r, wanted in enumerate(numbers):
                expected = sum(number in wanted for number in block) / 256
                assert float(shares[i, n, r]) == pytest.approx(expected)


def test_occluders_are_neither_object_nor_background(persons):
    drawer = drawer_of(*persons)
    assert not drawer._shares(np.full((1, 16, 16), OTHER, np.uint8), 16).any()
    empty = drawer._shares(np.full((1, 16, 16), BACKGROUND, np.uint8), 16)[0, 0]
    assert empty.tolist() == [0.0] * (len(empty) - 1) + [1.0]


def test_picture_and_mask_move_alike(persons):
    """The made-up pictures show the mask's own numbers, so what moved is read from them."""
    # where both of two pictures are background, so are the numbers that they swap
    drawer = drawer_of(*persons)
    for step in range(6):
        batch = drawer.batch(step)
        numbers = ((batch.pixels + 1) * 127.5).round().to(torch.uint8)
        assert torch.equal(numbers[:, 0], numbers[:, 2])
        assert torch.equal(drawer._shares(numbers[:, 0].numpy(), 16), batch.shares)


def test_only_the_background_is_swapped_and_only_with_a_picture_like_it():
    """Each picture shows its own number: it tells where each pixel is from."""
    pack = made_up_pack("person", 60, seed=4)
    numbered = np.empty_like(pack.pixels)
    numbered[:] = (np.arange(180).reshape(60, 3))[..., None, None, None]
    object.__setattr__(pack, "pixels", numbered)
    drawer, swapped = drawer_of(pack, pictures=100), 0
    schema = pack.schema
    told = [a for a, each in enumerate(schema.attributes) if not schema.group_of(each.name).identity]
    assert {schema.attributes[a].name for a in told} == {"illumination", "time_of_day", "image_quality"}
    for step in range(4):
        rows = numpy_generator(5, "order", "person", step // 2).permutation(len(drawer))
        rows = rows[step % 2 * 100 :][:100]
        pixels, masks = drawer._pictures(rows, np.random.default_rng(step))
        for row, picture, mask in zip(rows, pixels[..., 0], masks, strict=True):
            _, at, m = drawer.index[row]
            assert (picture[mask != BACKGROUND] == 3 * at + m).all()
            others = set(picture[mask == BACKGROUND].tolist()) - {3 * at + m}
            assert len(others) <= 1
            for number in others:
                swapped += 1
                assert number % 3 == m
                assert np.array_equal(pack.values[number // 3, m, told], pack.values[at, m, told])
    assert 20 < swapped < SWAPPED * 400  # some have no partner, or no common background


def test_a_coarse_batch_is_the_same_one_seen_smaller(vehicles):
    drawer, other = drawer_of(made_up_pack("person", 7, size=(96, 64))), drawer_of(vehicles)
    fine, coarse = (drawer.batch(3, foreign=other, coarse=small) for small in (False, True))
    assert coarse.texts == fine.texts
    for name in ("labels", "weight", "frequency", "placed"):
        assert torch.equal(getattr(coarse, name), getattr(fine, name))
    b, _, height, width = fine.pixels.shape
    assert coarse.pixels.shape == (b, 3, height // COARSE, width // COARSE)
    assert torch.allclose(coarse.pixels, torch.nn.functional.avg_pool2d(fine.pixels, COARSE), atol=1e-6)
    rows, columns, regions = height // 32, width // 32, fine.shares.shape[-1]
    four = fine.shares.reshape(b, rows, 2, columns, 2, regions).mean(dim=(2, 4))
    assert torch.allclose(coarse.shares, four.reshape(b, -1, regions), atol=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.6, 0.9])
def test_pictures_grow_little_by_little(share):
    total = 3000
    coarse = np.array([is_coarse(step, share=share, total=total) for step in range(total)])
    thirds = coarse.reshape(3, -1).mean(axis=1)
    assert coarse.mean() == pytest.approx(share, abs=0.01)
    assert thirds[0] > thirds[1] > thirds[2]
    assert coarse[:100].mean() > coarse[-100:].mean()
    assert not coarse[-2:].any()


def test_all_or_no_pictures_may_be_small():
    assert all(is_coarse(step, share=1.0, total=9) for step in range(9))
    assert not any(is_coarse(step, share=0.0, total=9) for step in range(9))


def test_both_kinds_grow_alike():
    drawers = {kind: drawer_of(made_up_pack(kind, 9, size=(96, 64))) for kind in ("person", "vehicle")}
    steps = Steps(drawers, first=2, last=40, coarse=0.5, total=40)
    small = [steps[index].pixels.shape[-2] == 48 for index in range(len(steps))]
    assert small[::2] == small[1::2]
    assert small == [is_coarse(step // 2, share=0.5, total=20) for step in range(2, 40)]


def test_pixels_are_centred(persons):
    pixels = drawer_of(*persons).batch(0).pixels
    assert pixels.dtype == torch.float32
    assert (float(pixels.min()), float(pixels.max())) == (-1.0, 1.0)  # background 0, occluders 255


# ------------------------------------------------------------------ which pictures


def test_an_epoch_has_every_picture_once_and_every_rgb_picture_twice(persons):
    drawer = drawer_of(*persons)
    shown = Counter(map(tuple, drawer.index.tolist()))
    assert len(drawer) == sum(shown.values()) == 44
    assert shown == {
        (p, row, m): 2 - (m > 0) for p, n in ((0, 7), (1, 4)) for row in range(n) for m in range(3)
    }
    once = drawer_of(*persons, modalities=(NIR, TIR))
    assert len(once) == len(set(map(tuple, once.index.tolist()))) == 22


def test_an_epoch_draws_each_row_once_in_another_order_each(persons):
    drawer = spied(drawer_of(*persons, pictures=6))  # 44 rows: 7 batches and 2 that wait
    per_epoch = len(drawer) // 6
    epochs = []
    for epoch in range(3):
        for step in range(per_epoch):
            drawer.batch(epoch * per_epoch + step)
        calls = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        epochs.append([int(row) for call in calls for row in rows_of(drawer, call)])
    assert all(len(set(epoch)) == len(epoch) == 42 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert set().union(*epochs) == set(range(44))


def test_a_step_is_a_function_of_seed_and_step(persons, vehicles):
    other = drawer_of(vehicles)
    one, twin = drawer_of(*persons), drawer_of(*persons)
    one.batch(0, foreign=other)  # what was drawn before does not matter
    batch = one.batch(3, foreign=other)
    assert same(batch, twin.batch(3, foreign=other))
    assert same(batch, batch.to("cpu"))
    for different in (twin.batch(4, foreign=other), drawer_of(*persons, seed=6).batch(3, foreign=other)):
        assert different.texts != batch.texts
        assert not torch.equal(different.pixels, batch.pixels)


def test_two_processes_share_the_pictures_and_hear_the_same(persons, vehicles):
    drawer, other = spied(drawer_of(*persons)), drawer_of(vehicles)
    whole = drawer.batch(2, foreign=other)
    halves = [drawer.batch(2, rank=rank, world=2, foreign=other) for rank in (0, 1)]
    assert np.concatenate([rows_of(drawer, -2), rows_of(drawer, -1)]).tolist() == rows_of(drawer, -3).tolist()
    for name in ("labels", "weight"):
        assert torch.equal(torch.cat([getattr(half, name) for half in halves]), getattr(whole, name))
    for half in halves:
        assert len(half.pixels) == 3
        assert same(half, whole, names=("texts", "frequency", "placed"))


def test_a_left_out_modality_is_never_seen(persons):
    drawer = spied(drawer_of(*persons, modalities=("rgb", "tir")))
    assert len(drawer) == 33
    for step in range(6):
        drawer.batch(step)
    drawn = {m for call in range(6) for m in drawer.index[rows_of(drawer, call)][:, 2]}
    assert drawn == {0, 2}
    pictures = [shown(pack, row, m) for pack in persons for row in range(len(pack)) for m in (0, 0, 2)]
    every = drawer.vocabulary.singles.method(np.random.default_rng(0))
    for text, frequency in zip(every, drawer.frequency, strict=True):
        assert frequency == pytest.approx(frequency_of(text, pictures))


# ------------------------------------------------------------------ texts and labels


def test_labels_and_frequency_by_looking_each_picture_up(persons, vehicles):
    """Of two packs: rows, labels and the singles' order of columns all have to agree."""
    drawer, other = spied(drawer_of(*persons)), drawer_of(vehicles)
    every = [(pack, row) for pack in persons for row in range(len(pack))]
    everything = [shown(pack, row, m) for pack, row in every for m in (0, 0, 1, 2)]  # RGB counts twice
    for step in range(3):
        batch = drawer.batch(step, foreign=other)
        texts = texts_of(drawer)
        strangers = len(batch.texts) - len(texts)
        assert strangers == 3
        assert batch.texts[: len(texts)] == tuple(text.text for text in texts)
        for b, (p, row, m) in enumerate(drawer.index[rows_of(drawer)]):
            known = shown(persons[p], row, m)
            assert batch.labels[b].tolist() == [is_true(t, known) for t in texts] + [False] * strangers
            weight = [weight_of(t, known) for t in texts] + [1.0] * strangers
            assert batch.weight[b].tolist() == pytest.approx(weight)
        for s, text in enumerate(texts):
            often = frequency_of(text, everything)
            assert 0 <= often <= 1
            assert float(batch.frequency[s]) == pytest.approx(often, abs=1e-6), text


@pytest.mark.parametrize("most", [20, 30, 40, 60])
def test_the_sample_that_counts_frequencies_has_every_modality_in_its_share(monkeypatch, most):
    monkeypatch.setattr(drawing, "SAMPLE", most)
    pack = made_up_pack("person", 60, seed=6)  # 240 rows: RGB, RGB, NIR, TIR of each observation
    visible = np.zeros_like(pack.visible)
    age = [each.name for each in pack.schema.attributes].index("age")
    pack.values[..., age] = np.arange(3)  # the age tells the modality
    visible[..., age] = True
    drawer = drawer_of(replace(pack, visible=visible))
    truth, _ = drawer._sample
    columns = [drawer.vocabulary.columns["age", value] for value in pack.schema.attribute("age").values[:3]]
    assert len(truth) <= most
    assert truth[:, columns].mean(axis=0) == pytest.approx([0.5, 0.25, 0.25], abs=0.05)


def test_strangers_speak_of_the_other_kind_and_name_no_place(persons, vehicles):
    drawer, other = drawer_of(*persons), spied(drawer_of(vehicles))
    everything = [shown(vehicles, row, m) for row in range(len(vehicles)) for m in (0, 0, 1, 2)]
    for step in range(4):
        batch = drawer.batch(step, foreign=other)
        told = other.vocabulary.draw.calls[-1][1]
        assert batch.texts[-3:] == tuple(text.text for text in told)
        assert not batch.labels[:, -3:].any()
        assert int(batch.placed.max()) < len(batch.texts) - 3
        for text, often in zip(told, batch.frequency[-3:], strict=True):
            assert float(often) == pytest.approx(frequency_of(text, everything))
    assert len(drawer.batch(0).texts) == len(drawer.batch(0, foreign=other).texts) - 3


def test_every_value_is_said_in_every_step_and_numbered_by_its_attribute(persons):
    drawer = spied(drawer_of(*persons))
    for step in range(4):
        batch = drawer.batch(step)
        states = [next(iter(text.states)) for text in drawer.vocabulary.singles.calls[-1][1]]
        assert states == list(
            drawer.vocabulary.columns
        )  # before all other texts, in the order of the columns
        names = [attribute.name for attribute in persons[0].schema.attributes]
        assert [names[number] for number in batch.attribute.tolist()] == [name for name, _ in states]


def test_choices_are_the_values_that_a_picture_shows(persons):
    """Where: on the place that shows the value, if it covers enough of a patch."""
    drawer = spied(drawer_of(*persons))
    for step in range(4):
        batch, singles = drawer.batch(step), drawer.vocabulary.singles.calls[-1][1]
        area = batch.shares.sum(dim=1)
        expected, placed = set(), set()
        for b, (p, row, m) in enumerate(drawer.index[rows_of(drawer)].tolist()):
            known = shown(persons[p], row, m)
            for s, text in enumerate(singles):
                if is_true(text, known):
                    expected.add((b, s))
                    if text.place is not None and area[b, text.place] >= ENOUGH:
                        placed.add((b, text.place, s))
        assert {tuple(row) for row in batch.choices.tolist()} == expected
        assert {tuple(row) for row in batch.place_choices.tolist()} == placed
        assert 0 < len(placed) < len(expected)
        assert len(batch.choices) == len(expected)


def test_a_choice_counts_by_one_over_the_root_of_how_often_its_attribute_is_shown(persons):
    drawer = drawer_of(*persons)
    pictures = [
        shown(persons[p], row, m)
        for p, row, m in drawer.index.tolist()  # each as often as an epoch shows it
    ]
    columns = list(drawer.vocabulary.columns)
    rate = {name: np.mean([name in known for known in pictures]) for name, _ in columns}
    choices = [
        column
        for known in pictures
        for column, (name, value) in enumerate(columns)
        if known.get(name) == value
    ]
    assert drawer.importance[choices].mean() == pytest.approx(1, rel=1e-5)
    by_hand = np.array([max(rate[name], RARELY) ** -0.5 for name, _ in columns])
    ratio = drawer.importance / by_hand
    assert ratio == pytest.approx(np.full(len(columns), ratio[0]), rel=1e-5)
    assert len({round(float(each), 4) for each in drawer.importance}) > 3
    assert np.array_equal(drawer.batch(0).importance.numpy(), drawer.importance)


def test_no_text_is_called_both_true_and_a_strangers(persons, vehicles):
    drawer, other = drawer_of(vehicles), drawer_of(*persons)
    for step in range(40):
        batch = drawer.batch(step, foreign=other)
        own, strangers = batch.texts[:-3], batch.texts[-3:]
        for at, text in enumerate(strangers):
            if text in own:
                truth, told = batch.labels[:, own.index(text)], batch.labels[:, at - 3]
                assert torch.equal(truth, told), text


# ------------------------------------------------------------------ regions


def crafted(**parts):
    """A mask of 2 x 2 patches, one part a patch as given: name=pixels of it, the rest background."""
    table, mask = load_kind("person").table, np.zeros((1, 32, 32), np.uint8)
    for patch, (name, pixels) in enumerate(parts.items()):
        block = np.zeros(256, np.uint8)
        block[:pixels] = table.number(name)
        y, x = divmod(patch, 2)
        mask[0, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16] = block.reshape(16, 16)
    return mask


def region(drawer, *parts):
    return drawer.vocabulary.places.index(frozenset(parts))


def test_labels_of_regions_by_hand(persons):
    drawer = drawer_of(*persons)
    upper, lower, hair = region(drawer, "upper"), region(drawer, "lower"), region(drawer, "hair")
    gender, age = region(drawer, "face", "hair", "upper"), region(drawer, "face", "hair", "hat", "upper")
    shares = drawer._shares(crafted(upper=256, lower=200, hair=63, shoe=64), 16)
    assert shares.sum(dim=1)[0, [upper, lower, hair]].tolist() == [1.0, 200 / 256, 63 / 256]
    texts = [
        Text("The person is wearing a coat.", frozenset({("upper", "coat")}), upper),
        Text("The person is wearing jeans.", frozenset({("lower", "jeans")}), lower),
        Text("The person has short hair.", frozenset({("hair_length", "short")}), hair),
    ]
    labels, weight = drawer.places(texts, np.array([[True, False, True]]), shares)
    assert labels.shape == weight.shape == (1, len(drawer.vocabulary.places) + 1, 3)
    wanted = torch.zeros_like(labels)
    wanted[0, upper, 0] = 1  # a coat is worn, and seen there
    wanted[0, hair, 2] = 1  # true; whether it counts is told by the weight
    assert torch.equal(labels, wanted)
    counts = weight[0].bool()
    assert counts[upper].tolist() == [True, True, True]  # no jeans, no hair on the upper body
    assert counts[lower].tolist() == [True, True, True]  # here the jeans are false as of the picture
    assert counts[region(drawer, "shoe")].tolist() == [True, True, True]  # 64 pixels are just enough
    assert counts[hair].tolist() == [False, False, False]  # 63 are too few to see
    assert counts[gender].tolist() == [False, True, False]  # it shares parts with coat and hair
    assert counts[age].tolist() == [False, True, False]
    assert counts[region(drawer, "glasses")].tolist() == [False, False, False]  # not there
    assert counts[-1].tolist() == [True, True, True]  # nothing is true of the background
    assert set(weight.unique().tolist()) <= {0.0, 1.0}


def test_a_region_counts_from_a_quarter_of_a_patch(persons):
    drawer = drawer_of(*persons)
    text = [Text("The person is wearing a coat.", frozenset({("upper", "coat")}), region(drawer, "upper"))]
    counted = [
        bool(
            drawer.places(text, np.array([[True]]), drawer._shares(crafted(upper=n), 16))[1][0, text[0].place]
        )
        for n in (round(ENOUGH * 256) - 1, round(ENOUGH * 256))
    ]
    assert counted == [False, True]


def test_regions_of_whole_batches_by_loops(persons, vehicles):
    for drawer in (spied(drawer_of(*persons)), spied(drawer_of(vehicles))):
        places = drawer.vocabulary.places
        for step in range(3):
            batch, texts = drawer.batch(step), texts_of(drawer)
            area = batch.shares.sum(dim=1)
            placed = [s for s, text in enumerate(texts) if text.place is not None]
            assert batch.placed.tolist() == placed
            assert batch.place_labels.shape == (6, len(places) + 1, len(placed))
            for at, s in enumerate(placed):
                own = places[texts[s].place]
                for r in range(len(places) + 1):
                    here = r == texts[s].place
                    apart = r == len(places) or not (places[r] & own)
                    for b in range(6):
                        weight = float(here or apart) if float(area[b, r]) >= ENOUGH else 0.0
                        weight *= float(batch.weight[b, s])
                        assert float(batch.place_weight[b, r, at]) == pytest.approx(weight)
                        assert bool(batch.place_labels[b, r, at]) == (here and bool(batch.labels[b, s]))


# ------------------------------------------------------------------ steps


def test_kinds_take_turns_and_a_resumed_run_draws_the_same(persons, vehicles):
    drawers = {"person": drawer_of(*persons), "vehicle": drawer_of(vehicles)}
    steps = Steps(drawers, first=0, last=6)
    assert len(steps) == 6
    batches = [steps[at] for at in range(6)]
    for at, batch in enumerate(batches):
        kind, foreign = ("person", "vehicle") if at % 2 == 0 else ("vehicle", "person")
        assert same(batch, drawers[kind].batch(at // 2, foreign=drawers[foreign]))
    rest = Steps(drawers, first=3, last=6)
    assert all(same(rest[at], batches[at + 3]) for at in range(3))
    for wrong in (3, -1):
        with pytest.raises(IndexError):
            rest[wrong]
    assert len(Steps(drawers, first=6, last=6)) == len(Steps(drawers, first=7, last=6)) == 0


def test_one_kind_alone_has_no_strangers(persons):
    drawer = spied(drawer_of(*persons))
    batch = Steps({"person": drawer}, first=0, last=2)[1]
    assert batch.texts == tuple(text.text for text in texts_of(drawer))
    assert same(batch, drawer_of(*persons).batch(1))


def test_a_loader_gives_the_steps_in_order(packs):
    """Two worker processes, which open the packs anew, give what none gives."""
    drawers = {kind: drawer_of(*found) for kind, found in packs.items()}
    steps = Steps(drawers, first=1, last=5)
    loaded = DataLoader(steps, batch_size=None, num_workers=2)
    for at, batch in enumerate(loaded):
        assert same(batch, steps[at])
    assert at == 3


def test_too_few_pictures_for_a_batch_are_an_error(persons):
    with pytest.raises(InputError, match=r"pictures 45: an epoch has 44 pictures.*--world\.identities"):
        drawer_of(*persons, pictures=45)
    assert len(drawer_of(*persons, pictures=44).batch(0).pixels) == 44


def test_real_packs_have_labels_of_both_kinds(packs):
    """A rendered world: every value's text has an answer, and most places are seen somewhere."""
    for found in packs.values():
        drawer: Drawer = drawer_of(*found, pictures=60)
        batch = drawer.batch(0)
        assert batch.pixels.shape == (60, 3, *found[0].masks.shape[2:])
        assert 0 < float(batch.labels.float().mean()) < 0.5
        assert 0 < float(batch.place_labels.mean()) < float(batch.place_weight.mean()) < 1
        assert batch.place_weight.any(dim=0).any(dim=1).float().mean() > 0.8
