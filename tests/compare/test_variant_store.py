"""Variant rows are made once, and a report is the same whatever has become of them."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import lance
import nibabel as nib
import numpy as np
import pyarrow as pa
import pytest

from dvdup import embedders
from dvdup.commands.check import check
from dvdup.commands.diff import diff
from dvdup.compare import engine, variant_store
from dvdup.compare.missed import Missed
from dvdup.compare.refs import whole
from dvdup.compare.variant_store import Network, VariantStore, network_for, network_of
from dvdup.compare.walk import prune_variants
from dvdup.config import load_config
from dvdup.errors import Interrupted, StoreError
from dvdup.records import Hooks, PairResult
from dvdup.report import render
from dvdup.store.variants import NAME, VariantTable
from dvdup.sync import build
from dvdup.workspace import Workspace


def pooled(pixels: np.ndarray) -> np.ndarray:
    """Unit rows of 128 numbers that need no network."""
    side = pixels.shape[1]
    small = pixels.reshape(len(pixels), 16, side // 16, 8, side // 8).mean(axis=(2, 4))
    rows = small.reshape(len(pixels), 128)
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return (rows / length).astype(np.float32)


@pytest.fixture
def embedded(monkeypatch):
    """A network that is made up; how many pictures it has seen."""
    seen: list[int] = []

    def embed(pixels):
        seen.append(len(pixels))
        return pooled(pixels)

    monkeypatch.setattr(Network, "load", lambda self: SimpleNamespace(embed=embed))
    return seen


SPLITS = {"train": range(5), "test": range(14, 17)}


@pytest.fixture
def voxels(monkeypatch):
    """Voxels that know the one copy, at once; which pairs they were asked about."""
    asked = []

    def verify_pairs(pairs, *args, **kwargs):
        asked.extend(pairs)
        return {
            pair: PairResult(
                verdict="near" if pair == COPY else None,
                rule="same-structure",
                decided=True,
                confidence=1.0,
            )
            for pair in pairs
        }

    monkeypatch.setattr(engine, "verify_pairs", verify_pairs)
    return asked


COPY = (("train", "p03"), ("test", "mirrored"))


@pytest.fixture
def root(dataset, embedded, voxels):
    """Few scans, and a mirrored copy of p03 of train in test."""
    shutil.rmtree(dataset.root / "train")
    shutil.rmtree(dataset.root / "test")
    for split, people in SPLITS.items():
        for person in people:
            dataset.put(f"{split}/p{person:02}.nii.gz", person)
    image = nib.load(dataset.pool / "p03.nii.gz")
    values = np.asarray(image.dataobj)[::-1] + 1  # other values, so that no hash nominates it
    nib.save(nib.Nifti1Image(values, image.affine), dataset.root / "test/mirrored.nii.gz")
    return dataset.root


def opened(root, **overrides) -> Workspace:
    # voxels are compared, as nothing in the environment turns it off
    return Workspace(
        load_config(config=None, cwd=root, environ={}, overrides={"jobs": 1, **overrides})
    )


@pytest.fixture
def workspace(root):
    found = opened(root)
    build.sync(found)
    return found


def forget_results(workspace) -> None:
    for folder in ("results", "cache/results"):
        shutil.rmtree(workspace.folder / folder, ignore_errors=True)


def diffed(workspace, **more) -> str:
    """A report that is made anew, also of pairs that were compared before."""
    forget_results(workspace)
    (workspace.folder / "cache/answers.sqlite").unlink(missing_ok=True)
    return as_json(diff(opened(workspace.root), "train", "test", hooks=Hooks(**more)))


def as_json(report) -> str:
    return render(report, "json")


def found_pairs(text: str) -> list[tuple[str, str]]:
    return [(pair["a"]["case"], pair["b"]["case"]) for pair in json.loads(text)["pairs"]]


def store_of(workspace, pool, missed=None, **more) -> VariantStore:
    table = VariantTable(workspace.sealed)
    return VariantStore(
        workspace, network_of(workspace), table, pool, missed or Missed(), Hooks(**more)
    )


def test_rows_are_made_once(workspace, embedded, pool):
    ref = whole(workspace.open_index())
    store = store_of(workspace, pool)
    store.ensure(ref.voting, ref)
    n = len(embedded)
    assert n == len(ref.voting) == 9
    store.ensure(ref.voting, ref)
    store_of(workspace, pool).ensure(ref.voting, ref)
    assert len(embedded) == n
    contents = {case.content for case in ref.voting}
    assert {content for content, _ in store.stream(contents)} == contents
    assert store.there(ref.voting) == sorted(contents)


def test_no_file_is_read_where_the_index_has_proxies(workspace, pool):
    shutil.rmtree(workspace.root / "train")
    ref, missed = whole(workspace.open_index()), Missed()
    store = store_of(workspace, pool, missed)
    store.ensure(ref.voting, ref)
    assert len(store.there(ref.voting)) == 9
    assert missed.nothing


def test_scans_from_elsewhere_are_not_kept(workspace, pool):
    ref = whole(workspace.open_index())
    given = SimpleNamespace(lasting=False, proxied=ref.proxied)
    store = store_of(workspace, pool)
    store.ensure(ref.voting, given)
    assert len(store.there(ref.voting)) == 9
    assert store_of(workspace, pool).there(ref.voting) == []


def test_the_wish_to_stop_keeps_what_is_finished(workspace, pool, monkeypatch):
    monkeypatch.setattr(variant_store, "_BLOCK", 4)
    answers = iter([False, True])
    ref = whole(workspace.open_index())
    store = store_of(workspace, pool, should_stop=lambda: next(answers))
    with pytest.raises(Interrupted, match="4 of 9 variants"):
        store.ensure(ref.voting, ref)
    assert len(store_of(workspace, pool).there(ref.voting)) == 4


def test_progress_is_told_to_the_end(workspace, pool):
    told = []
    ref = whole(workspace.open_index())
    store = store_of(workspace, pool, progress=lambda *what: told.append(what))
    store.ensure(ref.voting, ref)
    assert told == [("embedding variants", n, 9) for n in range(10)]
    store.ensure(ref.voting, ref)
    assert len(told) == 10


def test_a_mirrored_copy_is_found(workspace):
    assert ("p03", "mirrored") in found_pairs(diffed(workspace))


def cut_data(folder):
    for file in folder.rglob("*.lance"):
        file.write_bytes(file.read_bytes()[:40])


def torn_manifest(folder):
    for file in folder.rglob("*.manifest"):
        file.write_bytes(b"torn")


def foreign(folder):
    shutil.rmtree(folder)
    lance.write_dataset(pa.table({"mine": [1, 2]}), str(folder))


def edited(folder):
    """All payloads are those of one case."""
    table = lance.dataset(str(folder)).to_table()
    one = table.column("payload").to_pylist()[0]
    payload = pa.array([one] * len(table), pa.large_binary())
    table = table.set_column(table.schema.get_field_index("payload"), "payload", payload)
    lance.write_dataset(table, str(folder), mode="overwrite")


def no_folder(folder):
    shutil.rmtree(folder.parent)
    folder.parent.write_text("a file where a folder should be")


HARMS = [cut_data, torn_manifest, foreign, edited, shutil.rmtree, no_folder]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_whatever_becomes_of_the_table_the_report_is_the_same(workspace, harm):
    first = diffed(workspace)
    assert ("p03", "mirrored") in found_pairs(first)
    harm(workspace.folder / NAME)
    forget_results(workspace)
    said = []
    if harm is not no_folder:
        (workspace.folder / "cache/answers.sqlite").unlink()
    again = diff(opened(workspace.root), "train", "test", hooks=Hooks(say=said.append))
    assert as_json(again) == first
    healed = harm in (shutil.rmtree, no_folder)
    assert ("damaged or edited" in " ".join(said)) != healed


@pytest.mark.parametrize("harm", HARMS[:4], ids=lambda harm: harm.__name__)
def test_a_newcomer_finds_copies_whose_rows_were_damaged(workspace, harm):
    """Lists that are kept know nothing about the damage, which shows while they are searched."""
    mirrored = workspace.root / "test/mirrored.nii.gz"
    aside = mirrored.rename(workspace.root / "aside")
    build.sync(workspace)
    assert found_pairs(as_json(diff(opened(workspace.root), "train", "test"))) == []
    harm(workspace.folder / NAME)
    aside.rename(mirrored)
    build.sync(opened(workspace.root))
    for _ in range(2):
        report = as_json(diff(opened(workspace.root), "train", "test"))
        assert found_pairs(report) == [("p03", "mirrored")]
        forget_results(workspace)


def test_rows_that_are_damaged_each_time_end_the_comparison_and_keep_no_list(
    workspace, monkeypatch
):
    read, away = VariantTable.read, [True]

    def damaging(self, *asked):
        if away[0]:
            self.losses += 1  # as if what is read now were damaged again
            return iter(())
        return read(self, *asked)

    monkeypatch.setattr(VariantTable, "read", damaging)
    with pytest.raises(StoreError, match="damaged as often as they are made"):
        diff(workspace, "train", "test")
    away[0] = False
    assert ("p03", "mirrored") in found_pairs(diffed(opened(workspace.root)))


def test_the_network_is_loaded_once_however_many_threads_make_rows(workspace, pool, monkeypatch):
    loaded = []

    def load(self):
        loaded.append(1)
        return SimpleNamespace(embed=pooled)

    monkeypatch.setattr(Network, "load", load)
    side = whole(workspace.open_index())
    store_of(workspace, pool).ensure(side.voting, side)
    assert loaded == [1]


def test_a_scan_that_was_away_is_found_once_it_is_back(root):
    """Where the index keeps no proxies its rows cannot be made meanwhile, and lists are kept."""
    options = {"store.proxies": False}
    workspace = opened(root, **options)
    build.sync(workspace)
    away = (root / "train/p03.nii.gz").rename(root / "aside")
    report = diff(opened(root, **options), "train", "test")
    assert [each.case for each in report.unreadable] == ["p03"]
    assert found_pairs(as_json(report)) == []
    away.rename(root / "train/p03.nii.gz")
    report = diff(opened(root, **options), "train", "test")
    assert report.unreadable == ()
    assert found_pairs(as_json(report)) == [("p03", "mirrored")]


def test_rows_of_nobody_are_pruned_by_a_check_that_finds_news(workspace, pool):
    check(workspace)
    ref = whole(workspace.open_index())
    assert len(VariantTable(workspace.sealed).keys()) == 9
    for name in ("p00", "p01", "p02", "p04"):
        (workspace.root / f"train/{name}.nii.gz").unlink()
    check(opened(workspace.root))
    left = whole(workspace.open_index())
    network = network_of(workspace)
    assert VariantTable(workspace.sealed).keys() == {
        network.name_of(case.content) for case in left.voting
    }
    prune_variants(workspace, left.cases)
    assert len(store_of(workspace, pool).there(ref.voting)) == 5


def test_a_clean_check_makes_nothing_again(workspace, embedded):
    first = as_json(check(workspace))
    n = len(embedded)
    forget_results(workspace)
    assert as_json(check(opened(workspace.root))) == first
    assert len(embedded) == n


def test_lists_that_are_kept_say_what_new_ones_say(workspace, dataset):
    diff(opened(workspace.root), "train", "test")
    dataset.put("train/p20.nii.gz", 20)
    (workspace.root / "train/p00.nii.gz").unlink()
    (workspace.root / "test/p14.nii.gz").unlink()
    build.sync(opened(workspace.root))
    kept = as_json(diff(opened(workspace.root), "train", "test"))
    assert kept == diffed(workspace)
    assert found_pairs(kept) == [("p03", "mirrored")]


def test_the_network_is_builtin_unless_other_weights_have_a_projection(tmp_path):
    shipped = network_for("thumbnail")
    assert shipped.name == network_for("builtin").name == "builtin"
    weights = tmp_path / "own.onnx"
    weights.write_bytes(embedders.packaged_weights().read_bytes() + b"x")
    assert network_for(f"builtin@{weights}").name == "builtin"
    assert network_for("builtin@own.onnx", tmp_path).key == shipped.key
    shutil.copy(
        embedders.projection_file(embedders.packaged_weights()), embedders.projection_file(weights)
    )
    own = network_for("builtin@own.onnx", tmp_path)
    assert own.name == "builtin@own.onnx"
    assert own.key != shipped.key
    assert own.name_of("x") != shipped.name_of("x") != shipped.name_of("y")


def faint(shape=(1, 20, 20, 20)) -> np.ndarray:
    """A proxy of which no slice is informative by the recipe: scattered voxels on black."""
    bright = np.random.default_rng(0).random(shape) < 0.02
    return np.where(bright, 200, 0).astype(np.uint8)


def test_a_case_whose_slices_are_all_faint_has_rows_all_the_same(embedded):
    network = network_for("builtin")
    rows = variant_store.rows_of_proxies(
        faint(), (20, 20, 20), (1.0, 1.0, 1.0), pooled, network.projection
    )
    assert len(rows.slices) > 0
    assert rows.asking.shape[1] > 0


def test_a_case_that_shows_nothing_is_told_in_every_run(workspace, monkeypatch):
    """It finds nobody and nobody finds it, so that it must not pass as clean."""
    cut = variant_store.rows_of_proxies

    def empty(proxies, shape, spacing, embed, projection):
        return cut(np.zeros_like(proxies), shape, spacing, embed, projection)

    monkeypatch.setattr(variant_store, "rows_of_proxies", empty)
    for _ in range(2):
        report = diff(opened(workspace.root), "train", "test")
        told = {case.case: case.reason for case in report.unreadable}
        assert {"p14", "p15", "p16", "mirrored"} <= set(told)
        assert "nothing is to be seen" in told["p14"]
