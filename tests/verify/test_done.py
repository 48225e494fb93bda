import numpy as np
import pytest
from scipy import ndimage

from dvdup import edits
from dvdup.report.sentences import changes
from dvdup.verify import Scan, judge
from dvdup.verify.done import split

SIZE = (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("edit", "level", "phrase"),
    [
        ("rotation", "medium", "rotated 15 degrees"),
        ("tilt", "medium", "rotated 7 degrees"),
        ("mirror", "medium", "mirrored left-right"),
        ("thick", "medium", "resampled 2 -> 4 mm"),
        ("slab", "medium", "slab of 50 % top-bottom"),
        ("crop", "medium", "cropped to 7"),
        ("gamma", "strong", "gamma or window changed"),
        ("noise", "medium", "noise added"),
        ("blur", "medium", "blurred"),
        ("erase", "medium", "parts blanked"),
        ("deface", "medium", "parts blanked"),
        ("shear", "medium", "sheared"),
        ("scale", "medium", "stretched by 1.1"),
    ],
)
def test_words_say_what_was_done(person, edit, level, phrase):
    copy = edits.apply(edit, level, person(1), SIZE, "p")
    words = changes(judge(Scan(person(1), SIZE), Scan(copy.values, copy.spacing)).change)
    assert any(word.startswith(phrase) for word in words), words
    assert len(words) <= 2, words


@pytest.mark.parametrize("level", ["medium", "strong"])
def test_what_lacks_the_noise_of_the_other_has_no_other_window(level):
    """Noise draws means together, which bends how the values of the clean scan follow its own."""
    clean = ndimage.gaussian_filter(np.random.default_rng(0).random((40, 40, 40)), 2)
    clean = ((clean - clean.min()) / np.ptp(clean)) ** 3 * 1000
    clean = clean.astype(np.float32)
    noisy = edits.apply("noise", level, clean, SIZE, "p").values
    judged = judge(Scan(np.asarray(noisy, np.float32), SIZE), Scan(clean, SIZE))
    assert "gamma or window changed" not in changes(judged.change)


def test_the_voxels_of_proxies_are_not_those_of_the_scans(person):
    source = Scan(person(1), SIZE, full=False, exact=False)
    coarse = Scan(person(1)[::2, ::2, ::2], (4.0, 4.0, 4.0), full=False, exact=False)
    words = changes(judge(source, coarse).change)
    assert not any(word.startswith("resampled") for word in words), words


def test_nothing_is_said_of_a_copy_that_was_not_touched(person):
    found = judge(Scan(person(1), SIZE), Scan(person(1) * 3 + 7, SIZE))
    assert changes(found.change) == ()
    assert found.change.degrees < 0.5


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_a_map_is_split_into_a_turn_and_the_rest(signs):
    turn = np.diag(signs).astype(float)[:, [1, 2, 0]]
    angle = np.radians(20)
    lean = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    found, rest = split(turn @ lean)
    assert np.array_equal(found, turn)
    assert np.allclose(rest, lean)
