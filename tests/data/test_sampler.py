from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextreid.data.sampler import BatchStream, IdentitySampler
from nextreid.errors import InputError


def labels_of(counts):
    return [label for label, count in enumerate(counts) for _ in range(count)]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=12),
    p=st.integers(2, 5),
    k=st.integers(2, 5),
    epoch=st.integers(0, 3),
)
def test_every_plan_keeps_its_promises(counts, p, k, epoch):
    labels = labels_of(counts)
    if len(counts) < p:
        with pytest.raises(InputError, match=f"train.p={p}"):
            IdentitySampler(labels, identities=p, instances=k, seed=0)
        return
    sampler = IdentitySampler(labels, identities=p, instances=k, seed=0)
    plan = sampler.epoch(epoch)
    assert plan.shape == (sampler.batches_per_epoch, p * k)
    seen = set()
    for batch in plan:
        names = np.array(labels)[batch].reshape(p, k)
        assert (names == names[:, :1]).all()  # blocks of one identity
        assert len(set(names[:, 0])) == p  # all different
        for block, label in zip(batch.reshape(p, k), names[:, 0], strict=True):
            # no observation twice in a batch where there are enough; all of them where there are not
            assert len(set(block)) == min(k, counts[label])
        seen |= set(names[:, 0])
    assert seen == set(range(len(counts)))  # every identity appears


def test_an_epoch_sees_each_observation_about_once():
    counts = [8] * 12
    sampler = IdentitySampler(labels_of(counts), identities=4, instances=4, seed=0)
    assert sampler.batches_per_epoch == 6  # 12 identities x 2 visits / 4
    assert Counter(sampler.epoch(0).ravel().tolist()) == dict.fromkeys(range(96), 1)


def test_a_plan_depends_on_seed_and_epoch_alone():
    labels = labels_of([5, 9, 3, 12, 7])
    one = IdentitySampler(labels, identities=3, instances=2, seed=4)
    again = IdentitySampler(labels, identities=3, instances=2, seed=4)
    again.epoch(7)  # what was drawn before does not matter
    assert (one.epoch(2) == again.epoch(2)).all()
    assert (one.epoch(2) != one.epoch(3)).any()
    assert (one.epoch(2) != IdentitySampler(labels, identities=3, instances=2, seed=5).epoch(2)).any()


@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_processes_share_the_same_global_batches(world):
    labels = labels_of([5, 9, 3, 12, 7])
    whole = IdentitySampler(labels, identities=3, instances=2, seed=4)
    parts = [
        IdentitySampler(labels, identities=3, instances=2, seed=4, world=world, rank=rank)
        for rank in range(world)
    ]
    length = 2 * whole.batches_per_epoch + 1
    streams = zip(*(part.stream(0, length) for part in parts), strict=True)
    for expected, shares in zip(whole.stream(0, length), streams, strict=True):
        assert [draw for share in shares for draw in share] == expected


def test_a_stream_starts_in_the_middle():
    sampler = IdentitySampler(labels_of([5, 9, 3, 12, 7]), identities=3, instances=2, seed=4)
    whole = list(BatchStream(sampler, 0, 11))
    assert len(BatchStream(sampler, 4, 11)) == 7
    assert list(BatchStream(sampler, 4, 11)) == whole[4:]
    assert {draw.epoch for draw in whole[sampler.batches_per_epoch]} == {1}


@pytest.mark.parametrize(
    ("p", "k", "world", "message"),
    [(1, 4, 1, "train.p=1"), (4, 1, 1, "train.k=1"), (3, 3, 2, "2 processes"), (9, 2, 1, "has 8 identities")],
)
def test_impossible_batches_are_errors_that_say_what_to_set(p, k, world, message):
    with pytest.raises(InputError, match=message):
        IdentitySampler(labels_of([4] * 8), identities=p, instances=k, seed=0, world=world)
