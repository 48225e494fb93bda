"""What `dvdup init` makes of a small dataset in every layout; layouts.md is made from it.

    python layouts.py

Prints Markdown. The scans are empty files, which is enough to recognise a layout, but for DICOM,
whose series are told by their headers.
"""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from dvdup.cli import app

_WIDTH = 96
SCAN = ""
"""Content of a file that is not looked into."""


@dataclass(frozen=True)
class Example:
    """A dataset, and what there is to say about it."""

    title: str
    files: Mapping[str, str]
    """Path -> content."""
    text: str
    shown: tuple[str, ...] = ()
    """Files whose content is shown."""


def _json(value: object) -> str:
    return json.dumps(value)


def _cases(pattern: str, *names: str) -> dict[str, str]:
    return {pattern.format(name): SCAN for name in names}


FOLDERS = Example(
    "Split folders",
    {
        **_cases("train/yes/{}.png", "a", "b"),
        **_cases("train/no/{}.png", "c"),
        **_cases("test/yes/{}.png", "d", "gone"),
        "train/masks/a.png": SCAN,
        "test/metadata.csv": "file_name,patient_id\nyes/d.png,P7\nyes/missing.png,P8\n",
    },
    "`train/`, `val/`, `Testing/`, `fold_0/` at the top or one folder down (`images/train/`), with "
    "whatever folders are in them. A `metadata.csv`, `.jsonl` or `.parquet` with a column "
    "`file_name`, as of Hugging Face, says the subjects, and which files should be there.",
    ("test/metadata.csv",),
)
MSD = Example(
    "Medical Segmentation Decathlon",
    {
        **_cases("imagesTr/{}.nii.gz", "a", "b", "._b"),
        **_cases("imagesTs/{}.nii.gz", "c"),
        "labelsTr/a.nii.gz": SCAN,
        "dataset.json": _json({
            "modality": {"0": "MRI"},
            "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
            "test": ["./imagesTs/c.nii.gz", "./imagesTs/gone.nii.gz"],
        }),
    },
    "The lists of `dataset.json` go before the folders; what lies there and is in no list is a "
    "case all the same.",
    ("dataset.json",),
)  # fmt: skip
NNUNET = Example(
    "nnU-Net, and its folds",
    {
        **_cases("imagesTr/{}_0000.nii.gz", "a", "b", "c"),
        **_cases("imagesTr/{}_0001.nii.gz", "a", "b", "c"),
        "dataset.json": _json({
            "channel_names": {"0": "T1", "1": "T2"}, "numTraining": 3, "file_ending": ".nii.gz",
        }),
        "splits_final.json": _json([
            {"train": ["b", "c"], "val": ["a"]}, {"train": ["a", "c"], "val": ["b"]},
        ]),
    },
    "The channels of a case are one scan. `dataset` of `dataset.json` names images elsewhere. "
    "`splits_final.json` is looked for here and in `nnUNet_preprocessed/`, and named by "
    "`dataset.folds`: a case becomes part of the split of the fold that it validates, those that "
    "no fold validates are `train`. As all splits are compared with one another, every fold's "
    "train is compared with its val, each pair once; `dvdup groups --resplit -f nnunet` writes "
    "clean folds.",
    ("dataset.json", "splits_final.json"),
)  # fmt: skip
BIDS = Example(
    "BIDS",
    {
        "dataset_description.json": _json({"Name": "x", "BIDSVersion": "1.9.0"}),
        "participants.tsv": "participant_id\tage\tsplit\nsub-01\t61\ttrain\nsub-02\t58\ttest\n",
        **_cases("sub-01/ses-1/anat/sub-01_ses-1_{}.nii.gz", "T1w", "FLAIR"),
        **_cases("sub-01/ses-2/anat/sub-01_ses-2_{}.nii.gz", "T1w"),
        **_cases("sub-02/ses-1/anat/sub-02_ses-1_{}.nii.gz", "T1w"),
        **_cases("sub-02/ses-1/eeg/sub-02_ses-1_task-rest_{}.edf", "eeg"),
        "derivatives/x/sub-01/anat/sub-01_desc-preproc_T1w.nii.gz": SCAN,
    },
    "The subject is the group, so that two sessions of a person in two splits are a finding. A "
    "split stands in `participants.tsv`, `sub-*_sessions.tsv` or `*_scans.tsv`. Without one all "
    'scans are the split `all`: write the column, or `[dataset.splits]` with patterns, as '
    '`train = "sub-0[1-7]"`, or look for duplicates with `dvdup check --within`.',
    ("participants.tsv",),
)  # fmt: skip
MONAI = Example(
    "Datalists of MONAI",
    {
        **_cases("images/{}.nii.gz", "a", "b", "c", "d"),
        "datalist.json": _json({
            "training": [
                {"image": f"images/{name}.nii.gz", "label": f"labels/{name}.nii.gz", "fold": fold}
                for fold, name in enumerate("abc")
            ],
            "testing": [{"image": "images/d.nii.gz"}],
        }),
    },
    "Lists `training`, `validation`, `testing`, or others of tables with an `image`; a list of "
    "images is one scan of several channels. `fold` is as for nnU-Net. Where there are several "
    "datalists, `dataset.json` names one.",
    ("datalist.json",),
)  # fmt: skip
CROISSANT = Example(
    "Croissant",
    {
        **_cases("scans/train2024/{}.nii.gz", "a", "b"),
        **_cases("scans/test2024/{}.nii.gz", "c"),
        "croissant.json": _json({
            "@type": "sc:Dataset",
            "distribution": [
                {"@type": "cr:FileSet", "@id": "scans", "includes": "scans/**/*.nii.gz"},
            ],
            "recordSet": [{"@type": "cr:RecordSet", "@id": "r", "field": [{
                "@type": "cr:Field", "@id": "r/split", "dataType": "cr:Split",
                "source": {"fileSet": {"@id": "scans"}, "extract": {"fileProperty": "fullpath"},
                           "transform": {"regex": "^scans/(train|test)2024/"}},
            }]}],
        }),
    },
    "File sets and file objects that dvdup reads; the split is taken out of their paths by a "
    "field, else told by the name of a set or folder, or by a table. Nothing is downloaded.",
    ("croissant.json",),
)  # fmt: skip
TABLE = Example(
    "A table",
    {
        **_cases("scans/{}.nii.gz", "a", "b"),
        "splits.csv": "MRN;image_path;phase;age\n17;scans/a.nii.gz;train;61\n"
        "17;scans/b.nii.gz;test;61\n18;scans/gone.nii.gz;test;58\n",
    },
    "CSV, TSV, Parquet or JSON lines. A column of paths is called `path`, `image`, `file_name` or "
    "so; without one, rows name scans by an id or a subject (`SeriesInstanceUID`, `patient_id`), "
    "which is looked up among the names of files and folders, or hold a file a sequence (`t1`, "
    "`flair`). The split may be a column of yes and no (`is_train`).",
    ("splits.csv",),
)
LISTS = Example(
    "A list a split",
    {
        **_cases("scans/{}.nii.gz", "a", "b", "c"),
        "train.txt": "scans/a.nii.gz\nscans/b.nii.gz\n",
        "test.txt": "c\n",
    },
    "`train.csv` and `test.csv`, or texts with a path or name a line. Any list can be named: "
    '`train = "lists/fold1.txt"` below `[dataset.splits]`. A list on standard input: '
    "`find scans -name '*.nii.gz' -print0 | dvdup add - --split train`.",
    ("train.txt", "test.txt"),
)
EXAMPLES = (FOLDERS, MSD, NNUNET, BIDS, MONAI, CROISSANT, LISTS, TABLE)


def dicom() -> Example:
    """A tree of two series, each one file."""
    files = {f"P{n}/study/series{n}/IM0001": _dicom_file(n) for n in (1, 2)}
    return Example(
        "DICOM",
        files,
        "A series is a case, whatever its files are called. Splits are folders, patterns below "
        '`[dataset.splits]` (`train = "P0*"`) or a table named by `dataset.csv`, whose rows may '
        "name patients or series that are folders.",
    )


def _dicom_file(number: int) -> str:
    """A picture of 4 by 4 pixels, as text in which a character is a byte."""
    import io

    import pydicom
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    values = pydicom.Dataset()
    values.SOPClassUID, values.SOPInstanceUID = MRImageStorage, f"1.2.3.{number}"
    values.SeriesInstanceUID, values.PatientID = f"1.2.3.{number}.1", f"P{number}"
    values.Modality, values.Rows, values.Columns = "MR", 4, 4
    values.SamplesPerPixel, values.PhotometricInterpretation = 1, "MONOCHROME2"
    values.BitsAllocated = values.BitsStored = 8
    values.HighBit, values.PixelRepresentation = 7, 0
    values.PixelData = bytes(range(16))
    values.file_meta = pydicom.dataset.FileMetaDataset()
    values.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    values.save_as(stream, enforce_file_format=True)
    return stream.getvalue().decode("latin-1")


@contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def printed(example: Example) -> str:
    """What `dvdup init` prints about an example."""
    with tempfile.TemporaryDirectory() as folder, _inside(folder):
        for name, content in example.files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("latin-1"))
        for name in [name for name in example.files if Path(name).stem.startswith("gone")]:
            Path(name).unlink()
        return CliRunner().invoke(app, ["init"]).stderr.strip()


def _wrapped(text: str) -> str:
    lines = text.strip().splitlines()
    return "\n".join(textwrap.fill(line, _WIDTH, break_on_hyphens=False) for line in lines)


def _files(example: Example) -> Iterator[str]:
    """The files of an example, as a shell would list and show them."""
    kept = sorted(name for name in example.files if not Path(name).stem.startswith("gone"))
    yield f"$ find . -type f\n{_wrapped(' '.join(kept))}\n"
    for name in example.shown:
        text = example.files[name]
        yield f"$ cat {name}\n{_wrapped(text) if name.endswith('.json') else text.strip()}\n"


def markdown() -> str:
    """All examples, as layouts.md has them."""
    parts = []
    for example in (*EXAMPLES, dicom()):
        session = "\n".join((*_files(example), f"$ dvdup init\n{_wrapped(printed(example))}"))
        text = _wrapped(example.text)
        parts.append(f"## {example.title}\n\n{text}\n\n```text\n{session}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(markdown())
