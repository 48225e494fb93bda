"""`dvdup export` and `dvdup diff` with what it wrote: the same findings, and nothing given away."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from dvdup.config import load_config
from dvdup.store import Index

KEY = "a passphrase that two sites have agreed on"


@pytest.fixture
def leaking(dataset, dvdup):
    """Overlapping splits: test holds train/p03 again, p04 with noise, and p05 twice with noise."""
    root = dataset.root
    dataset.put("test/same.nii.gz", 3)
    noisy(root / "train/p04.nii.gz", root / "test/noisy.nii.gz")
    for name in ("twin-a", "twin-b"):
        noisy(root / "train/p05.nii.gz", root / f"test/{name}.nii.gz")
    (root / "key.txt").write_text(KEY + "\n", encoding="utf-8")
    assert dvdup(root, "sync", "-q").code == 0
    return dataset


def noisy(source, target):
    image = nib.load(source)
    values = image.get_fdata() + np.random.default_rng(0).normal(0, 20, image.shape)
    nib.save(nib.Nifti1Image(values.astype(np.float32), image.affine), target)


def export(dvdup, dataset, name, *args):
    done = dvdup(dataset.root, "export", name, *args)
    assert done.code == 0, done.stderr
    return dataset.root / name


def findings(dvdup, dataset, *args):
    """What a comparison finds, with the names that ids stand for."""
    ran = dvdup(dataset.root, "diff", *args, "-f", "json", "-q")
    assert ran.code in (0, 1), ran.stderr
    ids = {
        side["case"]: None
        for pair in ran.json["pairs"]
        for side in (pair["a"], pair["b"])
        if side["split"].endswith(".dvdup")
    }
    if ids:
        words = [word for each in ids for word in ("--whose", each)]
        lines = dvdup(dataset.root, "export", *words).stdout.splitlines()
        ids = dict(line.split("\t") for line in lines)

    def label(side):
        return ids.get(side["case"]) or f"{side['split']}/{side['case']}"

    return {
        frozenset((label(pair["a"]), label(pair["b"]))): (pair["verdict"], pair["basis"])
        for pair in ran.json["pairs"]
    }


COPIES = {
    frozenset(("train/p03", "test/same")): ("identical", "voxel-hash"),
    frozenset(("train/p04", "test/noisy")): ("near", "slices"),
    frozenset(("train/p05", "test/twin-a")): ("near", "slices"),
    frozenset(("train/p05", "test/twin-b")): ("near", "slices"),
}


def test_the_same_findings_as_on_the_scans(leaking, dvdup):
    """A split with a file, a file with a split, and two files with one another."""
    key = ("--key", "key.txt")
    for split in ("train", "test"):
        export(dvdup, leaking, f"{split}.dvdup", "--split", split, *key)
    assert findings(dvdup, leaking, "train", "test") == COPIES
    assert findings(dvdup, leaking, "train", "test.dvdup", *key) == COPIES
    assert findings(dvdup, leaking, "train.dvdup", "test", *key) == COPIES
    assert findings(dvdup, leaking, "train.dvdup", "test.dvdup") == COPIES


def test_the_same_scores_as_on_the_scans(leaking, dvdup):
    export(dvdup, leaking, "test.dvdup", "--split", "test", "--key", "key.txt")
    names = ("count_score", "shared_score", "similarity", "confidence")

    def scores(*args):
        pairs = dvdup(leaking.root, "diff", *args, "-f", "json", "-q").json["pairs"]
        return sorted([[pair[name] for name in names] for pair in pairs], key=str)

    assert scores("train", "test.dvdup", "--key", "key.txt") == scores("train", "test")


@pytest.mark.parametrize("candidates", ["1"])
def test_with_small_copies_voxels_decide(leaking, dvdup, monkeypatch, candidates):
    """Of scans of up to 64 voxels a side a small copy shows all there is."""
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", candidates)
    key = ("--key", "key.txt")
    for split in ("train", "test"):
        export(dvdup, leaking, f"{split}.dvdup", "--split", split, "--proxies", *key)
    found = findings(dvdup, leaking, "train", "test")
    assert {verdict for verdict, _ in found.values()} == {"identical", "near"}
    assert {basis for _, basis in found.values()} == {"voxel-hash", "voxels"}
    assert findings(dvdup, leaking, "train", "test.dvdup", *key) == found
    assert findings(dvdup, leaking, "train.dvdup", "test.dvdup") == found


def test_without_the_key_rows_alone_decide(leaking, dvdup):
    """An equal scan is found as any copy is, and nobody is told that it is equal."""
    by_rows = dict.fromkeys(COPIES, ("near", "slices"))
    export(dvdup, leaking, "keyed.dvdup", "--split", "test", "--key", "key.txt")
    export(dvdup, leaking, "bare.dvdup", "--split", "test")
    assert findings(dvdup, leaking, "train", "keyed.dvdup") == by_rows
    assert findings(dvdup, leaking, "train", "bare.dvdup", "--key", "key.txt") == by_rows
    said = dvdup(leaking.root, "diff", "train", "keyed.dvdup", "--candidates", "1").stderr
    assert "the hashes of keyed.dvdup are not compared" in said
    assert "rows alone decide" in said


def test_two_files_of_two_keys(leaking, dvdup):
    export(dvdup, leaking, "test.dvdup", "--split", "test", "--key", "key.txt")
    (leaking.root / "other.txt").write_text(KEY.upper(), encoding="utf-8")
    export(dvdup, leaking, "train.dvdup", "--split", "train", "--key", "other.txt")
    ran = dvdup(leaking.root, "diff", "train.dvdup", "test.dvdup", "-f", "json")
    assert {pair["basis"] for pair in ran.json["pairs"]} == {"slices"}
    assert "made with two passphrases" in ran.stderr
    wrong = dvdup(leaking.root, "diff", "train", "test.dvdup", "--key", "other.txt")
    assert wrong.code == 2
    assert "not made with this passphrase" in wrong.stderr


def test_equal_values_in_another_order_are_found_by_the_key(dataset, dvdup, save):
    """Mirrored and cut scans, whose rows are of no use, have values that hashes know."""
    source = np.asarray(nib.load(dataset.root / "train/p07.nii.gz").dataobj)
    save(dataset.root / "test/turned.nii.gz", source.transpose(2, 0, 1)[::-1].copy())
    save(dataset.root / "test/slab.nii.gz", source[:, :, 9:27].copy())
    (dataset.root / "key.txt").write_text(KEY, encoding="utf-8")
    dvdup(dataset.root, "sync", "-q")
    export(dvdup, dataset, "test.dvdup", "--split", "test", "--key", "key.txt")
    found = findings(dvdup, dataset, "train", "test.dvdup", "--key", "key.txt")
    assert found[frozenset(("train/p07", "test/turned"))] == ("near", "value-hash")
    assert found[frozenset(("train/p07", "test/slab"))] == ("partial", "value-hash")
    assert len(found) == 2


def test_a_file_with_itself_finds_its_duplicates(leaking, dvdup):
    export(dvdup, leaking, "test.dvdup", "--split", "test")
    found = findings(dvdup, leaking, "test.dvdup", "test.dvdup")
    assert found == {frozenset(("test/twin-a", "test/twin-b")): ("identical", "voxel-hash")}


def test_it_gives_nothing_away_that_it_should_not(leaking, dvdup):
    root = leaking.root
    path = export(dvdup, leaking, "train.dvdup", "--split", "train", "--key", "key.txt")
    data = path.read_bytes()
    import pyarrow.parquet as pq

    text = data + repr(pq.read_table(path).to_pylist()).encode()  # pages are compressed
    index = Index(root / ".dvdup")
    (case,) = [case for case in index.cases if case.key == ("train", "p03")]
    assert case.value_hashes[0]
    secrets = (
        *(b"p03", b"train", b".nii", bytes(root), KEY.encode(), case.content.encode()),
        *(case.voxel_hashes[0].encode(), case.value_hashes[0].encode()),
        *((root / ".dvdup/key").read_bytes(), (root / ".dvdup/key").read_bytes().hex().encode()),
        *(stat.file_hash.encode() for stat in case.files),
    )
    assert [each for each in secrets if each in text] == []
    row = pq.read_table(path).to_pylist()[0]
    assert (row["proxy"], row["proxy_shape"]) == (b"", [])


def test_subjects_stay_here(dataset, dvdup):
    with (dataset.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write("group = '(p[0-9]+)'\n")
    dvdup(dataset.root, "sync", "-q")
    path = export(dvdup, dataset, "test.dvdup", "--split", "test")
    import pyarrow.parquet as pq

    assert "p14" not in repr(pq.read_table(path).to_pylist())


def test_same_index_same_bytes(leaking, dvdup):
    args = ("--split", "test", "--key", "key.txt", "--proxies")
    first = export(dvdup, leaking, "a.dvdup", *args).read_bytes()
    assert export(dvdup, leaking, "b.dvdup", *args).read_bytes() == first


def test_a_version_of_a_split(leaking, dvdup):
    dvdup(leaking.root, "tag", "v1", "-q")
    (leaking.root / "test/same.nii.gz").unlink()
    dvdup(leaking.root, "sync", "-q")
    export(dvdup, leaking, "old.dvdup", "--split", "test@v1")
    assert frozenset(("train/p03", "test/same")) in set(findings_of_version(dvdup, leaking))


def findings_of_version(dvdup, dataset):
    """Ids of cases that are gone are known to no index; their partner is."""
    ran = dvdup(dataset.root, "diff", "train", "old.dvdup", "-f", "json", "-q")
    assert ran.code == 1, ran.stderr
    for pair in ran.json["pairs"]:
        (name,) = [s["case"] for s in (pair["a"], pair["b"]) if s["split"] == "train"]
        yield frozenset((f"train/{name}", {"p03": "test/same"}.get(name, "?")))


def test_what_could_not_be_checked_is_told_on_both_sides(dataset, dvdup):
    (dataset.root / "test/p15.nii.gz").write_bytes(b"no scan")
    dvdup(dataset.root, "sync", "-q")
    done = dvdup(dataset.root, "export", "test.dvdup", "--split", "test", "-q")
    assert done.code == 2
    assert "not in it: test/p15" in done.stderr
    args = ("export", "test.dvdup", "--split", "test", "-q", "--force", "--allow-unreadable")
    assert dvdup(dataset.root, *args).code == 0
    ran = dvdup(dataset.root, "diff", "train", "test.dvdup", "-f", "json", "-q")
    assert ran.code == 2
    (case,) = ran.json["unreadable"]
    assert (case["split"], case["paths"]) == ("test.dvdup", [])
    assert "p15" not in ran.stdout
    assert dvdup(dataset.root, "diff", "train", "test.dvdup", "--allow-unreadable").code == 0


def test_what_has_changed_since_it_was_indexed_is_told(dataset, dvdup):
    dvdup(dataset.root, "sync", "-q")
    dataset.put("test/p15.nii.gz", 21)
    done = dvdup(dataset.root, "export", "test.dvdup", "--split", "test", "--allow-unreadable")
    assert done.code == 2
    assert "not as it is now: test/p15" in done.stderr
    ran = dvdup(dataset.root, "diff", "test", "test.dvdup", "-q")
    assert "Incomplete" in ran.stdout


def test_small_copies_are_made_where_the_index_keeps_none(leaking, dvdup, monkeypatch):
    monkeypatch.setenv("DVDUP_VERIFY_CANDIDATES", "1")
    args = ("--split", "test", "--key", "key.txt", "--proxies")
    kept = export(dvdup, leaking, "kept.dvdup", *args).read_bytes()
    with (leaking.root / "dvdup.toml").open("a", encoding="utf-8") as stream:
        stream.write("[store]\nproxies = false\n")
    dvdup(leaking.root, "sync", "--rebuild", "-q", "--yes")
    assert export(dvdup, leaking, "made.dvdup", *args).read_bytes() == kept


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("export", "x.dvdup"), "--split: test, train"),
        (("export", "x.dvdup", "--split", "val"), "no split 'val'"),
        (("export", "x.parquet", "--split", "test"), "ends with .dvdup"),
        (("export", "test.dvdup.gz", "--split", "test"), "ends with .dvdup"),
        (("export", ".dvdup/x.dvdup", "--split", "test"), "another name or place"),
        (("export", "key.dvdup", "--split", "test"), "--force replaces"),
        (("export", "gone/x.dvdup", "--split", "test"), "cannot write"),
        (("export",), "give one of FILE and --whose"),
        (("export", "--whose", "0" * 16), "of no case of this index"),
        (("export", "x.dvdup", "--split", "test", "--key", "gone"), "cannot read the key"),
        (("export", "x.dvdup", "--split", "test", "--key", "short"), "16 or more"),
        (("export", "x.dvdup", "--split", "test", "--passphrase-env", "NO"), "16 or more"),
        (("diff", "train", "gone.dvdup"), "cannot read gone.dvdup"),
        (("diff", "train", "key.dvdup"), "not what `dvdup export` writes"),
        (("diff", "train", "test", "--key", "key.txt"), "a passphrase is for files"),
        (
            ("diff", "a.dvdup", "test", "--key", "key.txt", "--passphrase-env", "NO"),
            "not by both",
        ),
    ],
)
def test_what_cannot_be_done_is_told(leaking, dvdup, args, said):
    (leaking.root / "key.dvdup").write_text("kept", encoding="utf-8")
    (leaking.root / "short").write_text("123", encoding="utf-8")
    ran = dvdup(leaking.root, *args)
    assert ran.code == 2
    assert said in ran.stderr
    assert (leaking.root / "key.dvdup").read_text(encoding="utf-8") == "kept"


def test_rows_of_another_recipe_are_not_compared(leaking, dvdup):
    export(dvdup, leaking, "test.dvdup", "--split", "test")
    file = leaking.root / "dvdup.toml"
    file.write_text(file.read_text("utf-8") + "[slicing]\nspacing_mm = 6.0\n", encoding="utf-8")
    dvdup(leaking.root, "sync", "--rebuild", "--yes", "-q")
    ran = dvdup(leaking.root, "diff", "train", "test.dvdup")
    assert ran.code == 2
    assert "need the same embedder, weights and [slicing]" in ran.stderr


def test_the_place_of_a_checkpoint_stays_here(leaking):
    from dvdup.commands.export import _without_place

    config = load_config(config=None, cwd=leaking.root, environ={}, overrides={})
    meta = Index(config.root / ".dvdup").meta
    from dataclasses import replace

    named = replace(meta.embedder, name="timm:resnet18@/home/doe/weights/best.pth")
    assert _without_place(replace(meta, embedder=named)).embedder.name == "timm:resnet18@best.pth"


def test_two_files_need_no_index(leaking, dvdup, tmp_path):
    """As between two sites: somebody who has neither compares them."""
    for split in ("train", "test"):
        export(dvdup, leaking, f"{split}.dvdup", "--split", split, "--key", "key.txt")
        (tmp_path / "third").mkdir(exist_ok=True)
        (leaking.root / f"{split}.dvdup").rename(tmp_path / "third" / f"{split}.dvdup")
    ran = dvdup(tmp_path / "third", "diff", "train.dvdup", "test.dvdup", "-f", "json", "-q")
    assert ran.code == 1
    assert ran.json["totals"]["pairs"] == len(COPIES)
    assert sorted(path.name for path in (tmp_path / "third").iterdir()) == [
        "test.dvdup",
        "train.dvdup",
    ]


def test_every_format_tells_of_it(leaking, dvdup):
    export(dvdup, leaking, "test.dvdup", "--split", "test")
    from dvdup.report import FORMATS

    for name in FORMATS:
        ran = dvdup(leaking.root, "diff", "train", "test.dvdup", "-f", name, "-q")
        assert ran.code == 1, ran.stderr
        assert "test.dvdup" in ran.stdout


def test_through_the_console_script(leaking, console):
    done = console(
        leaking.root, "export", "test.dvdup", "--split", "test", "--passphrase-env", "OURS",
        OURS=KEY,
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert "rows, keyed hashes, no small copies" in done.stderr
    ran = console(
        leaking.root, "diff", "train", "test.dvdup", "--passphrase-env", "OURS", "-q", OURS=KEY
    )
    assert ran.code == 1
    assert "4 pairs: 1 identical, 3 near." in ran.stdout
