"""What Lance raises becomes one line that says what to do."""

from __future__ import annotations

import pytest

from dvdup.errors import StoreDamagedError, StoreError
from dvdup.store.faults import lance_faults


def told(error: Exception) -> StoreError:
    with pytest.raises(StoreError) as caught, lance_faults("read the index"):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("LanceError(IO): No space left on device (os error 28), /root/x.rs", StoreError,
         "cannot read the index: the disk is full; free some space and run it again"),
        ("Permission denied (os error 13), /root/x.rs", StoreError,
         "cannot read the index: Permission denied (os error 13); make the index folder writable "
         "or use --index"),
        ("Read-only file system (os error 30)", StoreError, "make the index folder writable"),
        ("Not found: /a/b.lance, /home/runner/lance/io.rs:12:3", StoreDamagedError,
         "cannot read the index: Not found: /a/b.lance; if `dvdup gc` ran meanwhile, run it "
         "again; `dvdup status --verify` tells what is damaged, "
         "`dvdup sync --rebuild` makes the index anew"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("error", [OSError, ValueError, RuntimeError])
def test_words(text, kind, said, error):
    caught = told(error(text))
    assert type(caught) is kind
    assert said in str(caught)
    assert ".rs" not in str(caught)


def test_a_wall_of_text_is_cut():
    text = str(told(RuntimeError("many\nlines " * 500)))
    assert "\n" not in text
    assert len(text) < 500


def test_bugs_and_our_own_errors_pass():
    with pytest.raises(TypeError), lance_faults("x"):
        raise TypeError
    with pytest.raises(StoreError, match=r"^mine$"), lance_faults("x"):
        raise StoreError("mine")
