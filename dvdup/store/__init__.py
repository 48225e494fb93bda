"""The only owner of the index on disk (LanceDB): tables, commits, history, locks, checks."""

from dvdup.store.history import add_tag, log, resolve, tags
from dvdup.store.index import Index, IndexMeta, SliceBlock, create, exists
from dvdup.store.lock import write_lock
from dvdup.store.swap import REBUILD, discard, finish_swap, swap_in
from dvdup.store.verify import find_damage
from dvdup.store.writer import Writer

__all__ = [
    "REBUILD",
    "Index",
    "IndexMeta",
    "SliceBlock",
    "Writer",
    "add_tag",
    "create",
    "discard",
    "exists",
    "find_damage",
    "finish_swap",
    "log",
    "resolve",
    "swap_in",
    "tags",
    "write_lock",
]
