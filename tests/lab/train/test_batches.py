from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup.lab.train.batches import Batches, Mix
from dvdup.lab.train.phantoms import make_family
from dvdup.lab.train.planes import Strength
from dvdup.lab.train.scans import Scan


def test_a_batch_depends_on_seed_and_step_alone(scan, small_mix):
    scans = [scan(seed) for seed in range(5)]
    one = Batches(scans, (), small_mix, 7)
    one.make(3)
    again = Batches(scans, (), small_mix, 7)
    assert torch.equal(one.make(4).second, again.make(4).second)
    assert not torch.equal(one.make(4).second, one.make(5).second)
    other = Batches(scans, (), small_mix, 8)
    assert not torch.equal(one.make(4).second, other.make(4).second)


def test_shapes_and_range(scan, small_mix):
    batch = Batches([scan(seed) for seed in range(5)], (), small_mix, 0).make(0)
    assert batch.first.shape == batch.second.shape == (16, 1, 64, 64)
    assert batch.first.min() >= 0
    assert batch.first.max() <= 1
    assert batch.valid.sum() > 8
    assert not batch.ignore.diagonal().any()


def test_views_of_a_pair_are_alike_and_others_are_not(scan, small_mix):
    still = Strength(
        degrees=3, tilt=2, zoom=(1, 1), stretch=0.1, strips=1e-9, shift=0.02, shear=0, mirrored=0
    )
    mix = dataclasses.replace(small_mix, strength=still)
    batch = Batches([scan(seed) for seed in range(5)], (), mix, 0).make(0)

    def flat(x):
        x = x.flatten(1)[batch.valid]
        x = x - x.mean(1, keepdim=True)
        return x / x.norm(dim=1, keepdim=True)

    cosine = flat(batch.first) @ flat(batch.second).T
    n = len(cosine)
    others = (cosine.sum() - cosine.trace()) / (n * (n - 1))
    assert cosine.trace() / n > others + 0.2


def test_two_scans_of_a_person_are_never_in_one_batch(scan, small_mix):
    scans = [scan(0, "a"), scan(1, "a"), scan(2, "b"), scan(3, "b")]
    batches = Batches(scans, (), small_mix, 0)
    assert batches.make(0).first.shape[0] == 2 * small_mix.views


def test_phantoms_fill_what_scans_leave(scan):
    mix = Mix(chunks=4, views=4, phantoms=0.5)
    phantoms = make_family(0, 1, 4)
    assert len(Batches([scan(0)], phantoms, mix, 0).make(0).first) == 16
    assert len(Batches([], phantoms, mix, 0).make(0).first) == 16


def test_pictures_have_chunks_of_their_own(scan, small_mix):
    def picture(seed: int) -> Scan:
        one = scan(seed)
        middle = one.voxels[:, :, 18:19].copy()
        box = (*one.box[:2], (0, 1))
        return dataclasses.replace(one, voxels=middle, box=box)

    mix = dataclasses.replace(small_mix, pictures=1.0)
    batch = Batches([picture(seed) for seed in range(6)], (), mix, 0).make(0)
    assert batch.first.shape == (16, 1, 64, 64)
    assert batch.valid.sum() > 8


def test_wide_pixels_come_from_the_halved_copy(scan, small_mix):
    big = scan(0, shape=(120, 120, 120))
    fine = dataclasses.replace(big, spacing=(1.0, 1.0, 1.0))
    batches = Batches([fine], (), dataclasses.replace(small_mix, chunks=1, views=12), 0)
    for step in range(3):
        batches.make(step)
    assert batches._halved["p0"].shape == (60, 60, 60)
