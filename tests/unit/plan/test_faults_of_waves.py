"""Faults and warnings of waves, their calendars and paired regions, each at its line and column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.plan import loads
from tests.unit.plan.samples import SMALL, changed, faults_at, faults_of, place, warnings_of

ROUTING = "routing: {kind: file, path: state/routes.json}"
FIRST = "  - name: first\n"
THIRD = "  - name: third\n"
WAVES = [
    (
        "a drain longer than the longest pause",
        "waves:",
        "cutover: {max_pause: 94s}\nwaves:",
        "94s",
        "would stop writers for 1 min 35 s before anything is copied (ttl, max_write and clock_margin), longer than max_pause",
    ),
    (
        "a drain longer than ten minutes",
        "waves:",
        "cutover: {max_write: 10m}\nwaves:",
        "10m",
        "longer than max_pause (10 min)",
    ),
    (
        "a drain longer than the longest pause of a wave",
        "    soak: 96h",
        "    soak: 96h\n    cutover: {max_pause: 5s}",
        "5s",
        "longer than max_pause (5 s)",
    ),
    ("no waves", SMALL[SMALL.index("waves:") :], "waves: []\n", "waves:", "at least one wave"),
    ("two waves of one name", "name: second", "name: first", "first\n    moves:\n", "there is a wave first already"),
    ("a wave without moves", "moves: [{region: europe, areas: [web]}]", "moves: []", "[]", "wave third moves nothing"),
    ("an unknown region", "region: europe", "region: eurpe", "eurpe", "there is no region eurpe; did you mean europe?"),
    ("an unknown area", "areas: [email]", "areas: [emial]", "emial", "there is no area emial; did you mean email?"),
    (
        "an area without a target there",
        "europe, areas: [web]",
        "europe, areas: [web, email]",
        "email]}]\n    soak: 0s",
        "area email has no target in region europe",
    ),
    (
        "all areas, one without a target",
        "europe, areas: [web]",
        'europe, areas: "*"',
        '"*"',
        "area email has no target in region europe",
    ),
    (
        "a move in two waves",
        "areas: [email]",
        "areas: [email, web]",
        "web]\n    soak: 1h",
        "america/web is moved by wave first already",
    ),
    (
        "after nobody",
        "name: third\n",
        "name: third\n    after: [secnod]\n",
        "secnod",
        "there is no wave secnod; did you mean second?",
    ),
    ("after nobody, in short", "name: third\n", "name: third\n    after: secnod\n", "secnod", "did you mean second?"),
    ("after itself", "name: third\n", "name: third\n    after: [third]\n", "[third]", "in a circle: third after third"),
    (
        "a circle",
        FIRST,
        FIRST + "    after: [third]\n",
        "[third]",
        "in a circle: first after third after second after first",
    ),
    ("an unknown gate", "soak: 1h\n    gates: [calm]", "soak: 1h\n    gates: [clam]", "clam", "did you mean calm?"),
    (
        "a gate twice",
        "soak: 1h\n    gates: [calm]",
        "soak: 1h\n    gates: [calm, calm]",
        "calm]\n  - name: third",
        "names gate calm twice",
    ),
    (
        "complete before the begin",
        THIRD,
        THIRD + "    not_before: 2026-12-02T00:00:00Z\n    complete_by: 2026-12-01T00:00:00Z\n",
        "2026-12-01",
        "before it may begin",
    ),
    (
        "a window that never opens",
        THIRD,
        THIRD + '    change_windows: [{from: "02:00", to: "02:00", timezone: UTC}]\n',
        "{from",
        "never open",
    ),
    (
        "a freeze that ends first",
        ROUTING,
        ROUTING + "\nfreeze: [{from: 2026-12-02T00:00:00Z, to: 2026-12-01T00:00:00Z}]",
        "2026-12-01",
        "must end after",
    ),
    ("a sample of attributes", ROUTING, ROUTING + "\nverify: {sample: 1%}", "sample", "needs `level: content`"),
]
PAIRED = SMALL.replace("  europe:\n", "  europe:\n    pair: america\n")
WINDOW = '    change_windows: [{days: %s, from: "02:00", to: "06:00", timezone: %s}]\n'


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [pytest.param(*row[1:], id=row[0]) for row in WAVES],
)
def test_a_fault_is_found_where_it_is(old: str, new: str, at: str, says: str) -> None:
    assert any(says in fault for fault in faults_at(old, new, at)), faults_of(changed((old, new)))


def test_two_paired_regions_are_never_in_one_wave() -> None:
    text = changed(
        ("    targets: {web: eu-web}", "    targets: {web: eu-web}\n    pair: america"),
        (
            "moves: [{region: america, areas: [web]}]",
            "moves: [{region: america, areas: [web]}, {region: europe, areas: [web]}]",
        ),
        ("  - name: third\n    moves: [{region: europe, areas: [web]}]\n    soak: 0s\n", ""),
        ("    soak: 96h\n    gates: [calm]\n", "    soak: 0s\n"),
    )
    assert faults_of(text) == (
        f"{place(text, 'europe, areas')}: regions america and europe are a pair and cannot be in one wave",
    )


def test_two_paired_regions_may_follow_each_other() -> None:
    loads(changed(("    targets: {web: eu-web}", "    targets: {web: eu-web}\n    pair: america")), "plan.yaml")


def test_paired_regions_in_waves_that_do_not_wait_for_each_other_are_warned_of() -> None:
    assert not any("are a pair" in one for one in warnings_of(PAIRED))
    beside = PAIRED.replace(THIRD, THIRD + "    after: []\n")
    assert any("are a pair, and waves" in one for one in warnings_of(beside)), beside


@pytest.mark.parametrize(("days", "is_warned"), [(90, False), (91, True)])
def test_a_freeze_of_more_than_ninety_days_is_warned_of(days: int, is_warned: bool) -> None:
    end = (datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=days)).isoformat()
    text = SMALL + f"freeze: [{{from: 2026-12-01T00:00:00Z, to: {end}}}]\n"
    assert [f"this freeze lasts {days} days" in one for one in warnings_of(text)] == ([True] if is_warned else [])


@pytest.mark.parametrize(
    ("days", "zone", "says"),
    [
        ("[sat]", "Europe/Berln", "; did you mean Europe/Berlin?"),
        ("[sat]", "PST", "; an abbreviation is not a zone"),
        ("[saturday]", "UTC", "; did you mean sat?"),
        ("[Sat]", "UTC", "; did you mean sat?"),
        ("mon-fri", "UTC", "; write [mon, tue, wed, thu, fri]"),
        ("[sat-mon]", "UTC", "; write [sat, sun, mon]"),
    ],
)
def test_near_names_of_zones_and_days(days: str, zone: str, says: str) -> None:
    faults = faults_of(changed((FIRST, FIRST + WINDOW % (days, zone))))
    assert [one.endswith(says) or says in one for one in faults] == [True], faults


def test_a_wave_that_is_there_twice_is_one_fault() -> None:
    faults = faults_of(changed((THIRD, FIRST)))
    assert not any("in a circle" in one for one in faults)


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59Z", "1970-12-31T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_times_at_the_ends_of_the_calendar_are_refused(written: str) -> None:
    (fault,) = faults_of(changed((FIRST, FIRST + f"    not_before: {written}\n")))
    assert fault.endswith("expected a time from 1971 to 2999")
