"""What is fetched for a pair, what its voxels say, and how work is spread over processes."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import zlib
from contextlib import closing
from itertools import chain, repeat

import numpy as np
import pytest

from dvdup import voxels, workers
from dvdup.cache import Cache, open_cache
from dvdup.compare import engine
from dvdup.compare import pair as judging
from dvdup.compare.cases import FileChannel, Sides
from dvdup.compare.missed import Missed
from dvdup.errors import InputError, Interrupted
from dvdup.files import RACY
from dvdup.hashing import file_hash
from dvdup.records import Embedded, FileStat, Hooks, IndexedCase
from dvdup.report.json import alignment_of, voxel_of
from dvdup.report.sentences import result_reason
from dvdup.sealed import SealedFiles


class Memory:
    """A holder of cases in memory, which counts what is fetched."""

    def __init__(self, cases):
        self.cases, self.fetched = {case.key: case for case in cases}, 0

    def case(self, key):
        return self.cases[key]

    def proxied(self, keys):
        self.fetched += len(keys)
        return {key: self.cases[key] for key in keys}

    def rows(self, key):
        n = 12
        embedding = np.eye(n, dtype=np.float32)
        zero = np.zeros(n, np.uint8)
        place = np.arange(n)
        return Embedded(embedding, zero.astype(np.int16), zero, place, place.astype(np.float32))


def scan_of(root, split, name, values, save):
    """A file, and its row as the index has it."""
    path = save(root / split / f"{name}.nii.gz", values)
    stat = path.stat()
    proxy = voxels.proxy(np.asfortranarray(values, np.float32))[None]
    return IndexedCase(
        split,
        name,
        (FileStat(f"{split}/{name}.nii.gz", stat.st_size, stat.st_mtime_ns),),
        content=name,
        n_channels=1,
        shape=values.shape,
        spacing=(3.0, 3.0, 3.0),
        proxy=zlib.compress(proxy.tobytes()),
        proxy_shape=proxy.shape,
    )


def verify_pairs(pairs, sides, jobs, cache=None, missed=None, **hooks):
    told = {"cache": cache or Cache(None, ""), "missed": missed or Missed()}
    return engine.verify_pairs(pairs, sides, workers.Local(jobs), **told, hooks=Hooks(**hooks))


def said_of(missed):
    said = []
    missed.tell(said.append)
    return said


@pytest.fixture
def pair(tmp_path, phantom, save):
    """A scan and its mirror image, with a stranger."""
    values = phantom(1)
    return (
        Memory([scan_of(tmp_path, "train", "one", values, save)]),
        Memory(
            [
                scan_of(tmp_path, "test", "copy", values[::-1], save),
                scan_of(tmp_path, "test", "other", phantom(2), save),
            ]
        ),
    )


PAIRS = [(("train", "one"), ("test", "copy")), (("train", "one"), ("test", "other"))]


def test_values_of_the_files_decide_where_proxies_see_a_copy(pair, tmp_path):
    said = verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1)
    copy, other = said[PAIRS[0]], said[PAIRS[1]]
    assert copy.verdict == "identical"
    assert "flipped left-right" in result_reason(copy)
    assert (copy.slices.plane_a, copy.slices.plane_b) == (0, 0)
    assert other.verdict is None
    assert other.decided


@pytest.mark.parametrize("how", ["gone", "changed", "unreadable"])
def test_without_the_file_the_proxy_must_do(pair, tmp_path, how):
    file = tmp_path / "test/copy.nii.gz"
    if how == "gone":
        file.unlink()
    elif how == "changed":
        file.write_bytes(file.read_bytes() + b"x")
    else:
        stat = file.stat()
        file.write_bytes(b"x" * stat.st_size)
        import os

        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    missed = Missed()
    said = verify_pairs(PAIRS[:1], Sides(tmp_path, *pair), jobs=1, missed=missed)[PAIRS[0]]
    assert said.verdict == "near"
    assert said.order is None  # that takes equal values, which a proxy does not have
    assert "mirrored left-right" in result_reason(said)
    assert not missed.nothing
    failed = how == "unreadable"
    assert [each.case for each in missed.unreadable] == ["copy"] * failed
    assert (said_of(missed) == []) == failed


def test_a_young_file_is_believed_by_its_bytes(pair, tmp_path, phantom, save):
    """It may be replaced by one of the same size without its time changing."""
    file, case = tmp_path / "test/copy.nii.gz", pair[1].cases["test", "copy"]
    stat = case.files[0]
    young = dataclasses.replace(stat, mtime_ns=RACY, file_hash=file_hash(file))
    channel = FileChannel(tmp_path, dataclasses.replace(case, files=(young,)), 0)
    assert channel.full() is not None
    before = file.read_bytes()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert channel.full() is None


def test_no_room_for_the_files_is_told(pair, tmp_path, monkeypatch):
    whole = judging.verify.judge

    def judge(one, other, full, limits, steps, **more):
        if full is not None:
            raise MemoryError
        return whole(one, other, full, limits, steps, **more)

    monkeypatch.setattr(judging.verify, "judge", judge)
    missed = Missed()
    with open_cache(caches(tmp_path), "salt") as cache:
        verify_pairs(PAIRS[:1], Sides(tmp_path, *pair), 1, cache=cache, missed=missed)
        known = [side.case(key) for side, key in zip(pair, PAIRS[0], strict=True)]
        assert engine.kept_pair(cache, *known) is None
    assert [each.case for each in missed.unreadable] == ["copy", "one"]
    assert "memory" in missed.unreadable[0].reason


def caches(tmp_path) -> SealedFiles:
    return SealedFiles(tmp_path / "index", lambda: b"k" * 32)


def test_what_is_remembered_is_not_compared_again(pair, tmp_path, monkeypatch):
    with open_cache(caches(tmp_path), "salt") as cache:
        first = verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)
    monkeypatch.setattr(engine, "judge_pair", None)
    with open_cache(caches(tmp_path), "salt") as cache:
        assert verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache) == first
    with open_cache(caches(tmp_path), "other") as cache, pytest.raises(TypeError):
        verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)


def test_what_a_proxy_said_is_asked_again_once_the_file_is_back(pair, tmp_path):
    file = tmp_path / "test/copy.nii.gz"
    aside = file.rename(tmp_path / "aside")
    with open_cache(caches(tmp_path), "salt") as cache:
        said = verify_pairs(PAIRS[:1], Sides(tmp_path, *pair), jobs=1, cache=cache)[PAIRS[0]]
        assert "flipped" not in result_reason(said)
        aside.rename(file)
        said = verify_pairs(PAIRS[:1], Sides(tmp_path, *pair), jobs=1, cache=cache)[PAIRS[0]]
        assert "flipped left-right" in result_reason(said)


def test_a_cache_that_cannot_be_written_costs_time_only(pair, tmp_path):
    (tmp_path / "index").write_text("a file where a folder should be")
    with open_cache(caches(tmp_path), "salt") as cache:
        assert len(verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)) == 2


def test_a_damaged_cache_costs_time_only(pair, tmp_path):
    file = tmp_path / "index/cache/answers.sqlite"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 100)
    sealed = caches(tmp_path)
    with open_cache(sealed, "salt") as cache:
        assert len(verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)) == 2
    assert sealed.damaged == {"cache/answers.sqlite"}
    assert remembered(tmp_path, pair)


def remembered(tmp_path, pair, sealed=None) -> bool:
    """Whether the pairs are known."""
    ours, theirs = pair
    with open_cache(sealed or caches(tmp_path), "salt") as cache:
        return all(engine.kept_pair(cache, ours.case(a), theirs.case(b)) for a, b in PAIRS)


def sql(*statements):
    def harm(file):
        with closing(sqlite3.connect(file)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    return harm


def one_byte(file):
    content = bytearray(file.read_bytes())
    content[content.index(b'"verdict"') + 2] ^= 1
    file.write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (sql("UPDATE answers SET answer = replace(answer, 'identical', 'none')"), True),
        (sql("UPDATE answers SET seal = ''"), True),
        (sql("UPDATE answers SET answer = NULL"), True),
        (sql("DELETE FROM answers"), False),
        (sql("DROP TABLE answers"), False),
        (sql("DROP TABLE answers", "CREATE TABLE answers (x)"), True),
        (lambda file: file.write_bytes(b""), False),
        (one_byte, True),
        (cut, True),
    ],
)
def test_answers_that_were_edited_are_given_anew(pair, tmp_path, harm, seen):
    with open_cache(caches(tmp_path), "salt") as cache:
        first = verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)
    assert remembered(tmp_path, pair)
    harm(tmp_path / "index/cache/answers.sqlite")
    sealed = caches(tmp_path)
    assert not remembered(tmp_path, pair, sealed)
    assert bool(sealed.damaged) == seen
    with open_cache(sealed, "salt") as cache:
        assert verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache) == first
    assert remembered(tmp_path, pair)


def test_a_file_with_another_name_is_not_written_to(pair, tmp_path):
    """As snapshots made of hard links have them."""
    file, other = tmp_path / "index/cache/answers.sqlite", tmp_path / "other.sqlite"
    sql("CREATE TABLE mine (x)")(other)
    before = other.read_bytes()
    file.parent.mkdir(parents=True)
    os.link(other, file)
    with open_cache(caches(tmp_path), "salt") as cache:
        verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)
    assert remembered(tmp_path, pair)
    assert other.read_bytes() == before


def test_answers_of_another_index_are_not_believed(pair, tmp_path):
    with open_cache(caches(tmp_path), "salt") as cache:
        verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1, cache=cache)
    other = SealedFiles(tmp_path / "index", lambda: b"l" * 32)
    assert not remembered(tmp_path, pair, other)


def test_the_wish_to_stop_keeps_what_is_finished(pair, tmp_path):
    answers = chain([False], repeat(True))
    with open_cache(caches(tmp_path), "salt") as cache:
        with pytest.raises(Interrupted, match="1 of 2 pairs"):
            verify_pairs(
                PAIRS, Sides(tmp_path, *pair), 1, cache=cache, should_stop=lambda: next(answers)
            )
        ours, theirs = pair
        known = [(ours.case(a), theirs.case(b)) for a, b in PAIRS]
        assert engine.kept_pair(cache, *known[0]) is not None
        assert engine.kept_pair(cache, *known[1]) is None


def reported(found):
    """What reports say of some pairs; other processes may round the last bit otherwise."""
    return {
        pair: (each.verdict, result_reason(each), alignment_of(each), voxel_of(each))
        for pair, each in found.items()
    }


def test_processes_say_the_same(pair, tmp_path, monkeypatch):
    alone = verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=1)
    monkeypatch.setattr("dvdup.workers.FEW", 0)
    together = verify_pairs(PAIRS, Sides(tmp_path, *pair), jobs=2)
    assert reported(together) == reported(alone)


def test_of_several_channels_the_most_similar_two_are_compared(pair, tmp_path):
    """The copy is channel 2 of a case of which channel 0 is a stranger."""
    ours, theirs = pair
    copy, other = (theirs.cases["test", name] for name in ("copy", "other"))
    stacked = b"".join(zlib.decompress(case.proxy) for case in (other, copy))
    both = dataclasses.replace(
        copy,
        case_id="both",
        n_channels=2,
        proxy=zlib.compress(stacked),
        proxy_shape=(2, *copy.proxy_shape[1:]),
        files=(FileStat("test/gone.nii.gz", 1, 1),),
    )
    holder = Memory([both])

    def rows(key):
        shape = np.concatenate([np.zeros((12, 12)), np.eye(12)]).astype(np.float32)
        channel = np.repeat([0, 1], 12).astype(np.int16)
        place = np.tile(np.arange(12), 2)
        return Embedded(shape, channel, np.zeros(24, np.uint8), place, place.astype(np.float32))

    holder.rows = rows
    key = (("train", "one"), ("test", "both"))
    assert verify_pairs([key], Sides(tmp_path, ours, holder), jobs=1)[key].verdict == "near"


def test_a_channel_is_the_scan_or_its_proxy(pair, tmp_path):
    channel = FileChannel(tmp_path, pair[0].cases["train", "one"], 0)
    assert channel.full().exact
    assert channel.proxy().full  # no axis is longer than a proxy's
    assert not channel.proxy().exact
    (tmp_path / "train/one.nii.gz").unlink()
    assert channel.full() is None


def _die(item):
    import os

    os._exit(1)


def test_a_worker_that_dies_is_told():
    with workers.worker_processes(1) as pool, pytest.raises(InputError, match="worker process"):
        list(workers.spread(pool, _die, [1], 2))


def test_work_is_handed_out_as_it_is_done():
    taken = []

    def items():
        for i in range(9):
            taken.append(i)
            yield i

    with workers.worker_processes(1) as pool:
        done = []
        for item, result in workers.spread(pool, abs, items(), 2):
            done.append((item, result))
            assert len(taken) <= len(done) + 2
    assert sorted(done) == [(i, i) for i in range(9)]
