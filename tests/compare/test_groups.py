"""Cases that are copies of one another, directly or through others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvdup.compare.verdicts import groups
from dvdup.records import VERDICTS, Finding, Member


def finding(one: str, other: str, verdict: str = "identical") -> Finding:
    a, b = (Member(name, "s", None, (f"{name}.nii",)) for name in (one, other))
    return Finding(a, b, verdict, "", "", 1.0, None, None, None, "")


def told(*findings: Finding) -> list[tuple[str, str]]:
    return [
        ("".join(name.removeprefix("s/") for name in group.members), group.verdict)
        for group in groups(findings)
    ]


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([], []),
        ([("a", "b", "identical")], [("ab", "identical")]),
        ([("a", "b", "same-subject")], []),
        ([("a", "b", "identical"), ("b", "c", "near")], [("abc", "near")]),
        ([("a", "b", "near"), ("b", "c", "partial")], [("abc", "partial")]),
        ([("a", "b", "near"), ("b", "c", "same-subject")], [("ab", "near")]),
        ([("a", "b", "identical"), ("c", "d", "near")], [("ab", "identical"), ("cd", "near")]),
        ([("c", "d", "near"), ("a", "b", "near"), ("d", "b", "near")], [("abcd", "near")]),
        # a weak link beside a strong chain takes nothing away
        ([("a", "b", "identical"), ("b", "c", "identical"), ("a", "c", "near")],
         [("abc", "identical")]),
        # two strong groups held together by a weak link
        ([("a", "b", "identical"), ("c", "d", "identical"), ("a", "d", "partial")],
         [("abcd", "partial")]),
    ],
)  # fmt: skip
def test_groups(findings, expected):
    assert told(*(finding(*each) for each in findings)) == expected
    assert told(*(finding(b, a, verdict) for a, b, verdict in reversed(findings))) == expected


LINKS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), st.sampled_from(VERDICTS)),
    max_size=12,
).map(lambda links: [link for link in links if link[0] != link[1]])


@given(LINKS, st.randoms(use_true_random=False))
def test_groups_are_the_connected_components(links, random):
    linked = [finding(*link) for link in links]
    found = groups(linked)
    held = {name: {name} for name in "abcdefgh"}
    for a, b, verdict in links:
        if verdict != "same-subject":
            union = held[a] | held[b]
            for name in union:
                held[name] = union
    expected = sorted({tuple(sorted(union)) for union in held.values() if len(union) > 1})
    assert [group.members for group in found] == [
        tuple(f"s/{name}" for name in members) for members in expected
    ]
    random.shuffle(linked)
    assert groups(linked) == found
    assert len({group.id for group in found}) == len(found)
    for group in found:
        # with weaker links taken out the group falls apart, with this one it holds together
        rank = VERDICTS.index(group.verdict)
        enough = [each for each in linked if VERDICTS.index(each.verdict) <= rank]
        strong = [each for each in linked if VERDICTS.index(each.verdict) < rank]
        assert group.members in [other.members for other in groups(enough)]
        assert group.members not in [other.members for other in groups(strong)]


def test_the_id_is_of_the_members():
    (one,) = groups([finding("a", "b")])
    (same,) = groups([finding("b", "a", "near")])
    (other,) = groups([finding("a", "c")])
    assert one.id == same.id != other.id
