"""The only owner of the index (LanceDB): where it lies, tables, commits, history, locks, checks."""

from dvdup.store.exported import (
    Exported,
    Header,
    SharedCase,
    read_export,
    write_export,
)
from dvdup.store.history import add_tag, log, remove_tag, resolve, tags
from dvdup.store.index import Index, IndexMeta, SliceBlock, create, exists
from dvdup.store.key import index_key
from dvdup.store.lock import write_lock
from dvdup.store.place import claim, demand, is_marked
from dvdup.store.storage import Storage, WriteLease, storage_at
from dvdup.store.swap import REBUILD, abandon, discard, finish_swap, swap_in
from dvdup.store.tidy import Held, TablePlan, plan_tables, tidy_tables
from dvdup.store.verify import find_damage
from dvdup.store.writer import Writer

__all__ = [
    "REBUILD",
    "Exported",
    "Header",
    "Held",
    "Index",
    "IndexMeta",
    "SharedCase",
    "SliceBlock",
    "Storage",
    "TablePlan",
    "WriteLease",
    "Writer",
    "abandon",
    "add_tag",
    "claim",
    "create",
    "demand",
    "discard",
    "exists",
    "find_damage",
    "finish_swap",
    "index_key",
    "is_marked",
    "log",
    "plan_tables",
    "read_export",
    "remove_tag",
    "resolve",
    "storage_at",
    "swap_in",
    "tags",
    "tidy_tables",
    "write_export",
    "write_lock",
]
