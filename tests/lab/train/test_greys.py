from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup import slicing
from dvdup.lab.train import greys


@pytest.fixture
def views() -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand((6, 1, 8, 8), generator=random)
    return torch.nn.functional.interpolate(coarse, (48, 48), mode="bilinear")[:, 0]


def draw(views: torch.Tensor, amount: float = 1.0, seed: int = 1) -> greys.Draw:
    return greys.Draw(torch.full((len(views),), amount), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("edit", greys.EDITS, ids=lambda edit: edit.__name__)
def test_every_edit_changes_values_and_keeps_them_finite(views, edit):
    edited = edit(views.clone(), draw(views))
    assert edited.shape == views.shape
    assert torch.isfinite(edited).all()
    assert ((edited - views).abs().amax((1, 2)) > 1e-3).sum() >= 3


@pytest.mark.parametrize(
    "edit", [greys.bias_field, greys.gamma, greys.brightness, greys.noise], ids=lambda e: e.__name__
)
def test_an_edit_of_no_amount_changes_nothing(views, edit):
    assert torch.allclose(edit(views.clone(), draw(views, 0.0)), views, atol=1e-6)


def test_edited_views_stay_within_their_range(views):
    amount = torch.ones(len(views))
    edited = greys.edit_greys(views.clone(), amount, torch.Generator().manual_seed(3))
    assert edited.min() >= 0
    assert edited.max() <= 1


def test_the_same_seed_edits_alike(views):
    amount = torch.ones(len(views))
    one, other = (
        greys.edit_greys(views.clone(), amount, torch.Generator().manual_seed(3)) for _ in range(2)
    )
    assert torch.equal(one, other)


def test_jpeg_is_near_the_picture_and_flattens_blocks(views):
    edited = greys.jpeg(views.clone(), draw(views))
    assert (edited - views).abs().mean() < 0.1


@pytest.mark.parametrize("n", [32, 48, 96])
def test_resize_is_that_of_slicing(n):
    picture = np.random.default_rng(0).random((n, n)).astype(np.float32)
    ours = greys.resize(torch.from_numpy(picture)[None], 64)[0]
    assert np.allclose(ours.numpy(), slicing._resized(picture, 64, 0.0), atol=1e-5)


def test_a_curve_goes_through_its_points():
    points = torch.tensor([0.0, 1.0, 0.2])
    values = greys.curve(torch.tensor([0.0, 0.25, 0.5, 1.0]), points)
    assert torch.allclose(values, torch.tensor([0.0, 0.5, 1.0, 0.2]))
