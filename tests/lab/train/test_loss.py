from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup.lab.train.loss import copy_loss, hits


def nothing(n: int) -> torch.Tensor:
    return torch.zeros((n, n), dtype=torch.bool)


def test_pairs_that_agree_cost_less_than_pairs_that_do_not():
    rows = torch.eye(4)
    good = copy_loss(rows, rows, nothing(4), 0.1)
    bad = copy_loss(rows, rows.roll(1, 0), nothing(4), 0.1)
    assert good < 0.01 < 5 < bad
    assert hits(rows, rows, nothing(4)) == 1.0
    assert hits(rows, rows.roll(1, 0), nothing(4)) == 0.0


def test_by_hand():
    first, second = torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[3.0, 0], [0, 1]])
    expected = np.log(1 + 2 * np.exp(-1 / 0.5))
    assert float(copy_loss(first, second, nothing(2), 0.5)) == pytest.approx(expected, rel=1e-5)


def test_ignored_pairs_do_not_count():
    rows = torch.tensor([[1.0, 0], [1, 0]])
    ignore = torch.tensor([[False, True], [True, False]])
    assert float(copy_loss(rows, rows, ignore, 0.1)) == pytest.approx(0, abs=1e-6)
