"""Batches of P identities with K observations each, the same for any number of processes.

An epoch visits identity i about n_i / K times (n_i its observations), at least once and at most once
a batch, so that each observation is seen about once (as the peers' samplers do, which however drop
the tail and do not know how many batches there will be). The plan of an epoch depends on (seed,
epoch) alone, so a resumed run starts in the middle of one without drawing what came before.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nextreid.errors import InputError
from nextreid.seeding import numpy_generator


@dataclass(frozen=True)
class Draw:
    """One observation of a batch: which, and in which epoch (its random draws depend on both)."""

    epoch: int
    index: int


class IdentitySampler:
    """Plan P x K batches.

    Args:
        labels: (N,) identity label of each observation.
        identities: P, identities a batch, 2 or more.
        instances: K, observations of each, 2 or more.
        seed: the run's seed.
        world: number of processes; it divides P x K.
        rank: this process; it takes the rank-th contiguous slice of each batch.

    Raises:
        InputError: fewer than P identities, P or K below 2, P x K not divisible by the processes.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        identities: int,
        instances: int,
        seed: int,
        world: int = 1,
        rank: int = 0,
    ) -> None:
        for name, value in (("p", identities), ("k", instances)):
            if value < 2:
                raise InputError(f"train.{name}={value}", allowed="2 or more (the triplet loss needs them)")
        if identities * instances % world or not 0 <= rank < world:
            raise InputError(
                f"A batch of {identities} x {instances} = {identities * instances} observations on "
                f"{world} processes (rank {rank})",
                allowed="a batch that the number of processes divides",
                do="change train.p, train.k or the number of devices",
            )
        members: dict[int, list[int]] = defaultdict(list)
        for index, label in enumerate(labels):
            members[int(label)].append(index)
        if len(members) < identities:
            raise InputError(
                f"train.p={identities}, but the training data has {len(members)} identities",
                allowed=f"train.p of at most {len(members)}",
                do=f"set train.p to {len(members)} or less" if len(members) > 1 else "give more identities",
            )
        self.identities, self.instances = identities, instances
        self.seed, self.world, self.rank = seed, world, rank
        self._members = [np.array(members[label]) for label in sorted(members)]
        self._visits = _visits([len(found) for found in self._members], identities, instances)
        self.batches_per_epoch = -(-int(self._visits.sum()) // identities)

    def epoch(self, epoch: int) -> np.ndarray:
        """Return the plan of one epoch: (batches, P*K) indices, P blocks of K, for all processes."""
        P, K, T = self.identities, self.instances, self.batches_per_epoch
        rng = numpy_generator(self.seed, "sampler", epoch)
        visits = self._visits.copy()
        while (missing := T * P - int(visits.sum())) > 0:  # fill the last batch
            free = np.flatnonzero(visits < T)
            visits[rng.permutation(free)[:missing]] += 1
        # Laying the visits of one identity after another round the T batches gives each batch exactly
        # P identities, all different, because no identity has more than T visits.
        order = rng.permutation(len(visits))
        sequence = np.repeat(order, visits[order])  # (T*P,)
        batches = sequence.reshape(P, T).T[rng.permutation(T)]  # (T,P)
        chunks = [
            self._chunks(members, count, rng) for members, count in zip(self._members, visits, strict=True)
        ]
        plan = np.empty((T, P, K), dtype=np.int64)
        for t, batch in enumerate(batches):
            for p, identity in enumerate(rng.permutation(batch)):
                plan[t, p] = next(chunks[identity])
        return plan.reshape(T, P * K)

    def stream(self, start: int, stop: int) -> Iterator[list[Draw]]:
        """Yield this process's slices of batches start..stop-1, counted from the first of epoch 0."""
        share = self.identities * self.instances // self.world
        mine = slice(self.rank * share, (self.rank + 1) * share)
        planned, plan = -1, np.empty((0, 0), dtype=np.int64)
        for number in range(start, stop):
            epoch, row = divmod(number, self.batches_per_epoch)
            if epoch != planned:
                planned, plan = epoch, self.epoch(epoch)
            yield [Draw(epoch, int(index)) for index in plan[row, mine]]

    def _chunks(self, members: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Yield `count` chunks of K observations; with replacement only where there are fewer than K."""
        K, pool = self.instances, np.empty(0, dtype=np.int64)
        drawn = []
        for _ in range(count):
            if len(members) < K:
                more = rng.choice(members, K - len(members))
                drawn.append(rng.permutation(np.concatenate([members, more])))
                continue
            if len(pool) < K:
                pool = rng.permutation(members)
            drawn.append(pool[:K])
            pool = pool[K:]
        return iter(drawn)


def _visits(counts: Sequence[int], P: int, K: int) -> np.ndarray:
    """Return how often an epoch visits each identity: count // K, at least 1, at most once a batch."""
    visits = np.array([max(1, count // K) for count in counts], dtype=np.int64)
    while True:
        batches = -(-int(visits.sum()) // P)
        if int(visits.max()) <= batches:
            return visits
        visits = np.minimum(visits, batches)


class BatchStream:
    """Batches start..stop-1 of a sampler, in the form a data loader takes."""

    def __init__(self, sampler: IdentitySampler, start: int, stop: int) -> None:
        self.sampler, self.start, self.stop = sampler, start, stop

    def __len__(self) -> int:
        """Return the number of batches."""
        return self.stop - self.start

    def __iter__(self) -> Iterator[list[Draw]]:
        """Yield lists of draws."""
        return self.sampler.stream(self.start, self.stop)
