"""Reports in a real browser: nothing is logged, nothing is asked for, nobody is kept out, and the figures are the store's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.browser import chromium
from tests.unit.report import rollouts
from tests.unit.report.test_page import page_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        chromium.BINARY is None or not chromium.AXE.exists(), reason="needs Debian's chromium and npm's axe-core"
    ),
]
PAGES = ("running", "halted", "rolled_back", "complete")


def written(folder: Path, name: str) -> Path:
    page = folder / f"{name}.html"
    page.write_text(page_of(name))
    return page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_and_open_to_everybody(tmp_path: Path, name: str) -> None:
    page = written(tmp_path, name)
    shown, console, asked = chromium.read(page)
    assert console == []
    assert asked == []
    assert f"{len(getattr(rollouts, name)().schedule.moves)}" in shown
    for is_dark in (False, True):
        grave = [one for one in chromium.barriers(page, dark=is_dark) if one["impact"] in ("serious", "critical")]
        assert grave == []


def test_figures_of_the_store_are_on_the_page(tmp_path: Path) -> None:
    shown, _, _ = chromium.read(written(tmp_path, "complete"))
    made = rollouts.complete()
    for record in made.store.moves():
        assert str(record.id) in shown
    assert f"{sum(one.figures.objects_copied for one in made.store.moves()):,}" in shown


def test_a_name_with_markup_is_text(tmp_path: Path) -> None:
    shown, console, _ = chromium.read(written(tmp_path, "halted"))
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown
    assert console == []


def test_a_request_is_found(tmp_path: Path) -> None:
    """The tool itself: a page that is not whole."""
    page = tmp_path / "asking.html"
    page.write_text('<!doctype html><title>x</title><img src="http://images.example/logo.png">')
    assert chromium.read(page)[2] == ["http://images.example/logo.png"]


def test_a_barrier_is_found(tmp_path: Path) -> None:
    """The tool itself: a page that nobody can hear."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<!doctype html><html><head><title>x</title><meta http-equiv="Content-Security-Policy" content=""></head>'
        '<body><img src="data:,"><p style="color:#aaa;background:#bbb">unreadable</p></body></html>'
    )
    assert {one["id"] for one in chromium.barriers(page)} >= {"image-alt", "html-has-lang", "color-contrast"}
