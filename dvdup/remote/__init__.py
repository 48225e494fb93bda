"""Scans on an object store: found, looked at and opened as if they were files of this machine.

In: names of files as in `Case.files`; one that is an address (`s3://bucket/a.nii.gz`) is remote.
Out: what the store says of it (`look`), and files of this machine with its content (`at_hand`).
Whoever searches folders does so among stand-ins, empty files in folders as the store lists them
(`path_of`, `uri_of`), and opens one with `opened`.

| module | what |
|---|---|
| `stores` | asks the stores: what there is, and the content; one sentence for all that fails |
| `listing` | what the stores have said in this command |
| `cache` | content that was read, within bounds, for all processes of the user |
| `desk` | the files that this process uses now |
| `stand_ins` | the folders of stand-ins |
| `session` | all of it for one command |
"""

from dvdup.remote.session import (
    at_hand,
    begin,
    cache_bytes,
    is_known,
    is_missing,
    look,
    opened,
    path_of,
    size_of,
    uri_of,
)
from dvdup.remote.stores import Seen

__all__ = [
    "Seen",
    "at_hand",
    "begin",
    "cache_bytes",
    "is_known",
    "is_missing",
    "look",
    "opened",
    "path_of",
    "size_of",
    "uri_of",
]
