"""The page in a real browser: sorting, filters, keyboard, both schemes, narrow and wide, axe."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from pages import needs_browser, opened, pictures

from dvdup.records import Unreadable
from dvdup.report import render

pytestmark = needs_browser


@pytest.fixture(autouse=True)
def _sockets(monkeypatch):
    """The browser is driven over a socket of its own; the page itself is watched instead."""
    monkeypatch.undo()


@pytest.fixture(scope="module")
def page_file(build, tmp_path_factory):
    """Five pairs of three kinds between three splits, and one case that was not checked."""
    m, f = build.member, build.finding
    pairs = [
        f(m("train", "a10"), m("test", "x1")),
        f(m("train", "a9"), m("val", "x2"), "near"),
        f(m("train", "<b>"), m("test", "頭部 x3"), "near", accepted=True),
        f(m("val", "c"), m("test", "x4"), "partial"),
        f(m("train", "d" * 90, group="g"), m("test", "x5", group="g"), "same-subject"),
    ]
    val = type(build.TRAIN)("val", "val", 20)
    broken = Unreadable("cut", "test", ("test/cut.nii",), "cut off")
    report = build.report((build.TRAIN, val, build.TEST), pairs, unreadable=(broken,))
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(report, "html", pictures=pictures(5)), encoding="utf-8")
    return file


def names(page) -> list[str]:
    """The cases of the pairs that are shown, in their order."""
    cells = page.locator("#pairs tbody.pair:visible th .name")
    return cells.all_inner_texts()


def test_pairs_are_sorted_by_each_column(page_file):
    with opened(page_file) as watched:
        page = watched.page
        first = ["test/x1", "val/x2", "test/頭部 x3", "test/x4", "test/x5"]
        assert names(page) == first
        heads = page.locator("#pairs thead th")
        assert heads.nth(0).get_attribute("aria-sort") == "ascending"
        page.get_by_role("button", name="is already here").click()
        assert names(page) == [first[i] for i in (2, 1, 0, 4, 3)]  # 9 before 10, as people count
        assert heads.nth(2).get_attribute("aria-sort") == "ascending"
        assert heads.nth(0).get_attribute("aria-sort") is None
        page.get_by_role("button", name="is already here").click()
        assert names(page) == [first[i] for i in (3, 4, 0, 1, 2)]
        page.get_by_role("button", name="similarity").click()
        assert names(page) == [first[i] for i in (1, 2, 3, 0, 4)]  # those without one come last
        page.get_by_role("button", name="verdict", exact=True).click()
        assert names(page) == first
        assert watched.faults == []


def test_pairs_are_filtered(page_file):
    with opened(page_file) as watched:
        page = watched.page
        count = page.get_by_role("status")
        page.get_by_label("Search").fill("X3 頭部")
        assert names(page) == ["test/頭部 x3"]
        assert count.inner_text() == "1 of 5 pairs are shown."
        for words, shown in (("fingerprint", 0), ("count score", 0), ("0.9", 0), ("slab", 1)):
            page.get_by_label("Search").fill(words)  # a name, a file or a reason has them
            assert len(names(page)) == shown, words
        page.get_by_role("button", name="Clear").click()
        page.get_by_label("Verdict").select_option("near")
        assert names(page) == ["val/x2", "test/頭部 x3"]
        page.get_by_label("State").select_option("open")
        assert names(page) == ["val/x2"]
        page.get_by_role("button", name="Clear").click()
        page.get_by_text("5 of 5 pairs are shown.").wait_for()
        page.locator("a[data-splits='test and val']").click()
        page.get_by_text("1 of 5 pairs are shown.").wait_for()
        assert names(page) == ["test/x4"]
        assert page.locator("#between").input_value() == "test and val"
        assert watched.faults == []


def test_everything_can_be_done_by_keyboard(page_file):
    with opened(page_file) as watched:
        page = watched.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "findings"
        page.keyboard.press("Tab")
        page.keyboard.type("x4")
        assert names(page) == ["test/x4"]
        toggle = page.get_by_role("button", name="Pictures and numbers of test/x4 and val/c")
        toggle.focus()
        assert toggle.get_attribute("aria-expanded") == "true"
        page.keyboard.press("Enter")
        assert toggle.get_attribute("aria-expanded") == "false"
        assert page.locator(f"#{toggle.get_attribute('aria-controls')}").is_hidden()
        page.keyboard.press("Space")
        assert toggle.get_attribute("aria-expanded") == "true"
        assert watched.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_fits_and_shows_its_pictures(page_file, width, scheme):
    with opened(page_file, width=width, scheme=scheme) as watched:
        page = watched.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        image = page.locator("#more1 img").first
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
        assert image.evaluate("image => image.naturalWidth") == 144
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(15, 18, 22)")
        assert page.get_by_text("no picture: its file has <gone>").is_visible()
        assert watched.faults == []


def test_on_paper_everything_is_unfolded(page_file):
    with opened(page_file) as watched:
        page = watched.page
        page.get_by_role("button", name="Hide all pictures").click()
        assert page.locator("#more1").is_hidden()
        page.emulate_media(media="print")
        assert page.locator("#more1").is_visible()
        assert page.locator("#filters").is_hidden()
        assert watched.faults == []


@pytest.mark.skipif(find_spec("axe_playwright_python") is None, reason="needs axe")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light")])
def test_axe_finds_nothing(page_file, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with opened(page_file, width=width, scheme=scheme) as watched:
        found = Axe().run(watched.page).response["violations"]
        assert [(each["id"], each["impact"]) for each in found] == []
