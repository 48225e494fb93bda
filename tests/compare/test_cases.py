"""What a side of a comparison knows of a case."""

from __future__ import annotations

import pytest

from dvdup.compare.cases import voting_channels
from dvdup.records import IndexedCase


@pytest.mark.parametrize(
    ("n_channels", "n_proxies", "last"),
    [(1, 1, [0]), (8, 8, [6, 7]), (20, 3, [10, 19]), (11, 11, [9, 10]), (20, 12, [18, 19])],
)
def test_the_channels_of_the_proxies(n_channels: int, n_proxies: int, last: list[int]) -> None:
    case = IndexedCase("train", "a", (), n_channels=n_channels, proxy_shape=(n_proxies, 4, 4, 4))
    channels = voting_channels(case)
    assert len(channels) == n_proxies
    assert list(channels[-2:]) == last
