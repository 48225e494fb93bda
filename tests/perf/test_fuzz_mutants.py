"""The mutants of the fuzz script: the same for the same seed, damaged in every known way."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from fuzz_mutants import _ANY, _STRUCTURES, mutate
from fuzz_seeds import all_seeds


@pytest.fixture(scope="module")
def seeds():
    return all_seeds()


def test_the_same_seed_makes_the_same_mutants(seeds):
    again = all_seeds()
    assert [seed.files for seed in again] == [seed.files for seed in seeds]
    for number in range(100):
        assert mutate(seeds, 3, number) == mutate(again, 3, number)
    assert any(mutate(seeds, 3, number) != mutate(seeds, 4, number) for number in range(10))


def test_every_mutator_is_used_and_changes_one_file(seeds):
    used = set()
    for number in range(1500):
        mutant = mutate(seeds, 0, number)
        used.add(mutant.mutation)
        changed = [name for name, data in mutant.files.items() if data != mutant.seed.files[name]]
        assert changed == [mutant.seed.damaged]
    assert used == {*_ANY, *(name for _, pool in _STRUCTURES for name in pool)}


def test_only_a_cut_or_a_change_under_a_checksum_can_be_told(seeds):
    told = [mutate(seeds, 1, number) for number in range(800)]
    for mutant in told:
        before, after = (files[mutant.seed.damaged] for files in (mutant.seed.files, mutant.files))
        if mutant.mutation == "cut":
            assert mutant.told
            assert before.startswith(after)
        elif mutant.told:
            kept = mutant.seed.checksummed_from
            assert kept is not None
            assert before[:kept] == after[:kept]
    assert any(mutant.told and mutant.mutation != "cut" for mutant in told)


def test_a_bomb_is_behind_the_sound_data(seeds):
    seed = next(seed for seed in seeds if seed.kind == "nii.gz")
    pack = next(pool["gzip member"] for fits, pool in _STRUCTURES if "gzip member" in pool)
    made = [pack(seed.files[seed.damaged], np.random.default_rng(n)) for n in range(40)]
    bombs = [data for data in made if data is not None and len(data) > 15_000]
    assert bombs
    assert zlib.decompressobj(31).decompress(bombs[0]) == zlib.decompress(
        seed.files[seed.damaged], 31
    )
