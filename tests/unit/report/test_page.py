"""A page has the figures of its state store, needs nothing beside it, and takes nothing from outside for markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from migrator.forecast.outlook import look_ahead
from migrator.forecast.timeline import StartingPoint
from migrator.model.values import replace
from migrator.report.facts import ReportFacts
from migrator.report.page import policy, render, said
from migrator.standing.assess import assess
from tests.unit.report import rollouts
from tests.unit.report.rollouts import CAMPAIGN, HOSTILE, NOW, WEB, Rollout

VOID = frozenset({"meta", "link", "br"})
EVERY = ("running", "halted", "rolled_back", "complete", "begun_never")


class Page(HTMLParser):
    """The tags and texts of a document, and what is wrong with their nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


_PAGES: dict[str, str] = {}


def page_of(name: str) -> str:
    if name not in _PAGES:
        _PAGES[name] = render(getattr(rollouts, name)().facts(), version="1.0")
    return _PAGES[name]


@pytest.mark.parametrize("name", EVERY)
def test_a_page_is_whole_and_needs_nothing_beside_it(name: str) -> None:
    text = page_of(name)
    page = Page(text)
    assert page.wrong == []
    assert page.open == []
    for tag, attributes in page.tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base"}, tag
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
        assert not [key for key in attributes if key.startswith("on") or key == "style"]
    assert "url(" not in text
    assert "http:" not in text
    assert "https:" not in text


@pytest.mark.parametrize("name", EVERY)
def test_every_link_of_a_page_leads_somewhere_and_every_id_is_one(name: str) -> None:
    page = Page(page_of(name))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        href = attributes.get("href") or ""
        assert not href.startswith("#") or href[1:] in ids, href
        for name_of in (attributes.get("aria-labelledby") or "").split():
            assert name_of in ids


def test_its_policy_lets_only_its_own_style_in() -> None:
    page = Page(page_of("running"))
    said_policy = next(one["content"] for tag, one in page.tags if one.get("http-equiv") == "Content-Security-Policy")
    assert said_policy is not None
    assert said_policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in said_policy
    assert "script-src" not in said_policy
    assert "script-src 'sha256-" in policy("a", "b")
    assert policy("a") != policy("b")


def test_the_figures_are_those_of_the_state_store() -> None:
    made = rollouts.running()
    text = Page(page_of("running")).text
    records = list(made.store.moves())
    copied = sum(one.figures.objects_copied for one in records)
    assert f"{copied:,}" in text
    assert "1 min 43 s" in text  # the writers' pause of 103.4 s
    assert "1,234,560 objects on both sides, by their attributes" in text
    counted = made.store.requests("na-core", first_minute=0, last_minute=10**9)
    assert f"{sum(counted.values()):,} in all" in text
    assert f"{len(made.store.samples(WEB, gate='settled-na')):,}" in text
    assert f"{len(made.store.journal()):,} rows" in text


def test_a_name_with_a_script_tag_is_text() -> None:
    text = page_of("halted")
    page = Page(text)
    assert "<script" not in text
    assert HOSTILE.replace("`", "").split("&")[0] in page.text
    assert page.wrong == []


def test_names_in_charts_are_text_too() -> None:
    made = rollouts.running()
    facts = made.facts()
    waves = tuple(replace(wave, name=f"<script>{wave.name}&") for wave in facts.standing.waves)
    records = {f"<script>{name}&": record for name, record in facts.waves.items()}
    hostile = replace(facts, standing=replace(facts.standing, waves=waves), waves=records)
    text = render(hostile, version="1.0")
    assert "<script" not in text
    assert "&lt;script>na-first&amp;" in text or "&lt;script&gt;na-first&amp;" in text


def test_a_command_is_set_off_and_everything_else_is_escaped() -> None:
    assert said("say `migrate <x>` & go") == "say <code>migrate &lt;x&gt;</code> &amp; go"
    assert said("a ` alone") == "a ` alone"


def test_a_plan_that_no_store_knows_has_a_page() -> None:
    schedule = Rollout().schedule
    standing = assess(schedule.name, schedule=schedule, store=None, now=NOW)
    text = Page(render(ReportFacts(standing, "`migrate plan PLAN`", "nowhere.", schedule), version="1.0")).text
    assert "Nothing has begun yet" in text
    assert "Nothing is on record yet" in text


def test_a_store_whose_plan_cannot_be_read_any_more_has_a_page() -> None:
    made = rollouts.halted()
    standing = assess(made.schedule.name, schedule=None, store=made.store, now=NOW)
    from migrator.report.facts import gather

    facts = gather(standing, next_action="", place="here.", schedule=None, store=made.store)
    text = Page(render(facts, version="1.0")).text
    assert str(CAMPAIGN) in text
    assert "stopped, needs a person" in text


def test_a_page_that_is_served_asks_again_and_a_file_does_not() -> None:
    facts = rollouts.begun_never().facts()
    served = render(facts, version="1.0", refresh_seconds=7)
    assert '<noscript><meta http-equiv="refresh" content="7"></noscript>' in served
    assert '<script data-seconds="7">' in served
    assert "connect-src" not in page_of("begun_never")
    assert 'http-equiv="refresh"' not in page_of("begun_never")


def test_a_month_of_samples_is_a_small_chart() -> None:
    made = Rollout()
    made.begin("na-first", rollouts.START)
    made.bring(WEB, rollouts.S.SOAKING, rollouts.START)
    before = len(render(made.facts(), version="1.0"))
    made.sample(WEB, "settled-na", rollouts.START, 8_640)
    after = len(render(made.facts(), version="1.0"))
    assert 5_000 < after - before < 32_000  # sixty of them are below 2 MB


def test_the_outlook_of_a_page_is_that_of_status() -> None:
    made = rollouts.begun_never()
    ends = [wave.soaked for wave in look_ahead(made.schedule, made.facts().inventories, StartingPoint(NOW)).waves]
    last = max(one for one in ends if one is not None)
    assert f"complete by about {last.day} {last:%b %Y, %H:%M} UTC" in Page(page_of("begun_never")).text
