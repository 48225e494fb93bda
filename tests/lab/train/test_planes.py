from __future__ import annotations

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra models")

from dvdup import slicing, voxels
from dvdup.lab.train.batches import sample
from dvdup.lab.train.planes import (
    Sites,
    Strength,
    draw_planes,
    draw_sites,
    in_plane,
    rotation,
    too_close,
)

STILL = Strength(
    degrees=0, tilt=0, zoom=(1, 1), stretch=0, strips=1e-9, shift=0, shear=0, mirrored=0
)


def site(axis: int, level: float = 0.0) -> Sites:
    centre = torch.zeros(1, 3)
    centre[0, axis] = level
    return Sites(torch.tensor([axis]), centre, torch.ones(1, 2), torch.eye(3)[None])


def planes(sites: Sites, strength: Strength, amount: float, box=(60.0, 66.0, 54.0), seed=0):
    views = len(sites.axis)
    random = torch.Generator().manual_seed(seed)
    return draw_planes(sites, torch.tensor(box), torch.full((views,), amount), strength, random)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_unedited_view_looks_as_slicing_cuts_it(scan, axis):
    """Row 0 is the patient's front or top, columns go along the first axis of the plane."""
    one = scan(3)
    one = dataclasses.replace(one, box=tuple((0, n) for n in one.voxels.shape))
    middle = one.voxels.shape[axis] // 2
    level = (middle + 0.5) / (one.voxels.shape[axis] / 2) - 1
    box = [n * 1.5 for n in one.voxels.shape]
    view = sample(
        torch.from_numpy(one.voxels).float(), 1, one, planes(site(axis, level), STILL, 0.0, box), 64
    )[0]
    values = np.asfortranarray(one.voxels, np.float32)
    recipe = slicing.make_recipe(size=64, crop=False, spacing_mm=3.0)
    stack = slicing.slice_channel(values, voxels.proxy(values), one.spacing, "", 0, recipe)
    row = np.flatnonzero((stack.plane == 2 - axis) & (stack.index == middle))[0]
    assert np.corrcoef(view.numpy().ravel(), stack.pixels[row].ravel())[0, 1] > 0.95


def test_in_plane_names_the_two_other_axes_in_order():
    first, second = in_plane(torch.tensor([0, 1, 2]))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(1, 2), (0, 2), (0, 1)]


def test_rotations_keep_lengths_and_turn_by_their_angle():
    turn = rotation(torch.tensor([[0.0, 0.0, 2.0]]), torch.tensor([np.pi / 2]))[0]
    assert torch.allclose(turn @ turn.T, torch.eye(3), atol=1e-6)
    assert torch.allclose(turn @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]), atol=1e-6)


def test_tilt_and_offset_stay_within_their_limits():
    sites = draw_sites(64, 0.2, torch.Generator().manual_seed(1))
    strength = dataclasses.replace(STILL, tilt=12.0, share=1.0)
    still, tilted = planes(sites, STILL, 0.0), planes(sites, strength, 1.0)

    def normals(each):
        across = torch.linalg.cross(each.across, each.down)
        return across / across.norm(dim=1, keepdim=True)

    cosine = (normals(still) * normals(tilted)).sum(1)
    assert cosine.min() > np.cos(np.radians(12.01))
    assert cosine.min() < np.cos(np.radians(8))
    moved = (tilted.origin - still.origin).norm(dim=1)
    assert 0.1 < moved.max() <= 1.0 + 1e-5


def test_sites_in_one_run_are_parallel_and_at_other_levels():
    sites = draw_sites(12, 0.2, torch.Generator().manual_seed(2))
    assert (sites.axis.view(4, 3) == sites.axis.view(4, 3)[:, :1]).all()
    levels = sites.centre.gather(1, sites.axis[:, None]).view(4, 3)
    assert (levels.std(dim=1) > 0).all()


def test_windows_stay_within_the_content():
    sites = draw_sites(300, 0.2, torch.Generator().manual_seed(3))
    first, second = in_plane(sites.axis)
    for k, axes in enumerate((first, second)):
        edge = sites.centre.gather(1, axes[:, None])[:, 0].abs() + sites.half[:, k]
        assert edge.max() <= 1 + 1e-5
    assert sites.half.min() < 0.3


def test_parallel_sites_less_than_four_mm_apart_are_no_negatives():
    sites = Sites(
        torch.tensor([2, 2, 2, 1]),
        torch.tensor([[0, 0, 0.0], [0.5, 0, 0.03], [0, 0, 0.1], [0, 0.0, 0]]),
        torch.ones(4, 2),
        torch.eye(3).repeat(4, 1, 1),
    )
    close = too_close(sites, torch.tensor([100.0, 100.0, 100.0]))
    assert close.tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
    ]
