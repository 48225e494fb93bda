import pytest

from dvdup.objects import Found, version_of


def found(etag: str, modified_ns: int = 5_000_000_000) -> Found:
    return Found("a.nii.gz", 3, etag, modified_ns)


@pytest.mark.parametrize("other", ["0x8D", '"0x8D"', 'W/"0x8D"'])
def test_one_content_has_one_version_however_its_etag_is_written(other):
    assert version_of(found(other)) == version_of(found("0x8D", modified_ns=7_000_000_000))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (found("a"), found("b")),
        (found("a"), found("")),
        (found(""), found("", modified_ns=6_000_000_000)),
    ],
)
def test_other_contents_have_other_versions(one, other):
    assert version_of(one) != version_of(other)


def test_a_time_that_a_list_tells_more_exactly_is_the_same_time():
    assert version_of(found("")) == version_of(found('""', modified_ns=5_123_000_000))
