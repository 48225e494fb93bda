"""Proxies of cases, also of an index that keeps none (`store.proxies = false`).

A proxy is a copy of a scan of at most 64 voxels an axis, and a head can be told from it. Where the
index has none it is made from the files whenever it is needed, and nothing can stand in for them.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dvdup import slicing, voxels
from dvdup.compare.missed import NO_ROOM, Missed, volume_of
from dvdup.errors import ReadError
from dvdup.records import IndexedCase, Key

_MOST = 256
"""Proxies that are remembered: 64 MB at most for a channel."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Fills in proxies, and remembers some of those that had to be made."""

    root: Path
    missed: Missed
    _made: OrderedDict[str, tuple[bytes, tuple[int, ...]]] = field(default_factory=OrderedDict)

    def filled(self, cases: Iterable[IndexedCase]) -> dict[Key, IndexedCase]:
        """The cases that have a proxy, or get one, by key; of others `missed` is told."""
        found = {case.key: self._filled(case) for case in cases}
        return {key: case for key, case in found.items() if case is not None}

    def _filled(self, case: IndexedCase) -> IndexedCase | None:
        if case.proxy:
            return case
        try:
            return with_proxy(self.root, case, self._made)
        except ReadError as error:
            self.missed.failed(case, str(error))
        except MemoryError:
            self.missed.failed(case, NO_ROOM)
        return None


def with_proxy(
    root: Path,
    case: IndexedCase,
    made: OrderedDict[str, tuple[bytes, tuple[int, ...]]] | None = None,
) -> IndexedCase:
    """Give a case the proxy that the index does not keep, from its files.

    Args:
        root: Folder that the paths are relative to.
        case: A case that was read once.
        made: Proxies by content; the new one is added, and the oldest goes.

    Raises:
        ReadError: Its files are gone, have changed, or cannot be read.
    """
    made = OrderedDict() if made is None else made
    if case.content not in made:
        volume = volume_of(root, case)
        if volume is None:
            raise ReadError(
                f"{case.paths[0]}: gone or changed since it was indexed, and the index keeps no "
                "small copy (store.proxies); bring it back, or run `dvdup sync`"
            )
        channels = slicing.channels_to_slice(volume)
        values = (voxels.channel_values(volume, channel) for channel in channels)
        made[case.content] = voxels.packed([voxels.proxy(each) for each in values])
        while len(made) > _MOST:
            made.popitem(last=False)
    proxy, shape = made[case.content]
    return dataclasses.replace(case, proxy=proxy, proxy_shape=shape)
