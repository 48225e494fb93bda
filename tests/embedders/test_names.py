from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.embedders.names import EmbedderName, split_name
from dvdup.errors import EmbedderError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thumbnail", EmbedderName("thumbnail")),
        ("dinov2@w.pth", EmbedderName("dinov2", file="w.pth")),
        ("dinov2@random", EmbedderName("dinov2", tag="random")),
        (
            "dinov2?img_size=518&x=none",
            EmbedderName("dinov2", options=(("img_size", 518), ("x", None))),
        ),
        ("timm:vit.dino", EmbedderName("timm:", "vit.dino")),
        (
            "timm:m@../w.pth?std=.5&mean=0.1,0.2,0.3&pad_type=same&flag=True",
            EmbedderName(
                "timm:",
                "m",
                file="../w.pth",
                options=(
                    ("flag", True),
                    ("mean", (0.1, 0.2, 0.3)),
                    ("pad_type", "same"),
                    ("std", 0.5),
                ),
            ),
        ),
        ("timm:m@C:\\w\\a.pth", EmbedderName("timm:", "m", file="C:\\w\\a.pth")),
        ("open_clip:ViT-B-32/openai", EmbedderName("open_clip:", "ViT-B-32", tag="openai")),
        ("open_clip:ViT-B-32/w.pt", EmbedderName("open_clip:", "ViT-B-32", file="w.pt")),
        ("open_clip:ViT-B-32//a/w", EmbedderName("open_clip:", "ViT-B-32", file="/a/w")),
        ("open_clip:ViT-B-32/random", EmbedderName("open_clip:", "ViT-B-32", tag="random")),
    ],
)
def test_a_name_is_taken_apart(text, expected):
    assert split_name(text) == expected


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (" dinov2 ", "dinov2"),
        ("timm:m@/secret/folder/w.pth?b=2&a=.5", "timm:m@w.pth?a=0.5&b=2"),
        ("timm:m@C:\\folder\\w.pth", "timm:m@w.pth"),
        ("open_clip:ViT-B-32//folder/w.pt", "open_clip:ViT-B-32/w.pt"),
        ("timm:m?v=1,2.5&x=NONE&y=True", "timm:m?v=1,2.5&x=none&y=true"),
    ],
)
def test_the_stored_form_has_no_folder_and_one_order(text, stored):
    assert str(split_name(text)) == stored


@pytest.mark.parametrize("text", ["", "timm:", "open_clip:/x", "@w.pth"])
def test_an_incomplete_name_is_an_error(text):
    with pytest.raises(EmbedderError, match="not complete"):
        split_name(text)


@pytest.mark.parametrize("text", ["timm:m?mean", "timm:m?=3", "timm:m?a=1&b="])
def test_an_option_needs_a_value(text):
    with pytest.raises(EmbedderError, match="key=value"):
        split_name(text)


_words = st.text("abcdefgh_123", min_size=1, max_size=8)
_values = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())


@given(model=_words, file=_words, options=st.dictionaries(_words, _values, max_size=3))
def test_the_stored_form_reads_back_as_itself(model, file, options):
    name = EmbedderName("timm:", model, file=f"{file}.pth", options=tuple(sorted(options.items())))
    assert split_name(str(name)) == name
