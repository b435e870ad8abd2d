"""A valid plan becomes a schedule in which every default is filled in and every unit converted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import judged
from migrator.engine.checks.moments import When
from migrator.engine.checks.registry import CHECKS
from migrator.model.names import MoveId
from migrator.model.schedule import Budget, ChangeWindow, Cutover, Declared, Freeze, Prices, Schedule, Verify
from migrator.plan import load, loads, not_built
from tests.unit.plan.samples import SMALL, changed, faults_of, place, warnings_of

DOCUMENTS = Path(__file__).parent / "documents"
PLANS = Path(__file__).parents[3] / "plans"


def _small(*changes: tuple[str, str]) -> Schedule:
    return loads(changed(*changes), "plan.yaml").schedule


def test_the_plan_of_the_format_s_description_is_valid() -> None:
    loaded = load(DOCUMENTS / "storage-split.yaml")
    schedule = loaded.schedule
    assert [wave.name for wave in schedule.waves] == ["na-first", "na-rest", "europe"]
    assert [str(move.id) for move in schedule.moves] == [
        "north-america/web-tracking",
        "north-america/email-events",
        "europe/web-tracking",
        "europe/email-events",
    ]
    europe = schedule.wave("europe")
    assert europe.change_windows == (ChangeWindow(frozenset({5, 6}), 120, 360, "Europe/Berlin"),)
    assert europe.not_before == datetime(2026, 12, 1, tzinfo=UTC)
    assert europe.approval_required
    assert schedule.accounts["na-email"].credential == "env:NA_EMAIL_CONNECTION"
    assert schedule.accounts["na-email"].requests_per_minute == 2_400_000
    assert schedule.budget("na-core") == Budget(60_000, 500 * 2**20)
    assert schedule.budget("na-web") == Budget(300_000, 500 * 2**20)
    assert loads(loaded.text, "kept").schedule.fingerprint == schedule.fingerprint


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_plan_is_valid_and_says_first_what_it_shows(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# Shows ")
    load(path)


def test_the_quickstart_needs_nothing_that_is_not_built() -> None:
    for name in ("quickstart.yaml", "azurite.yaml", "overload.yaml"):
        assert load(PLANS / name).schedule.not_built == ()
    assert load(PLANS / "quickstart.yaml").warnings == ()


def test_defaults_are_filled_in() -> None:
    wave = _small().wave("first")
    assert wave.cutover == Cutover()
    assert wave.verify == Verify()
    assert (wave.soak_seconds, wave.interval_seconds) == (96 * 3600, 300)
    assert (wave.on_failure, wave.rollback_scope, wave.max_moves) == ("rollback", "wave", None)
    assert _small().routing.drain_seconds == 95
    assert _small().budget("na-core") == Budget()


def test_a_wave_overrides_the_document_and_the_document_the_default() -> None:
    schedule = _small(
        ("routing:", "cutover: {max_passes: 9, fence_timeout: 1m, hold: true}\nverify: {level: content}\nrouting:"),
        (
            "  - name: third\n",
            "  - name: third\n    cutover: {fence_timeout: 2m, hold: false}\n    verify: {level: attributes}\n",
        ),
    )
    assert schedule.wave("first").cutover == Cutover(max_passes=9, fence_timeout_seconds=60, hold=True)
    assert schedule.wave("third").cutover == Cutover(max_passes=9, fence_timeout_seconds=120, hold=False)
    assert schedule.wave("first").verify == Verify("content")
    assert schedule.wave("third").verify == Verify("attributes")


def test_the_three_durations_of_the_drain_belong_to_the_document() -> None:
    schedule = _small(
        ("state/routes.json}", "state/routes.json, ttl: 1s}"),
        ("metrics:", "cutover: {max_write: 2s, clock_margin: 500ms}\nmetrics:"),
    )
    assert schedule.routing.drain_seconds == 3.5


def test_prices_and_what_a_source_is_believed_to_hold_are_read_with_their_units() -> None:
    schedule = _small(
        ("routing:", "prices: {currency: EUR, write_per_10k: 0.065, data_per_gib: 0.02}\nrouting:"),
        ("    traffic: {web: 2M}\n", "    inventory: {web: {objects: 6M, bytes: 2TiB}}\n"),
    )
    assert schedule.prices == Prices("EUR", write_per_10k=0.065, data_per_gib=0.02)
    assert schedule.move(MoveId("america", "web")).declared == Declared(6_000_000, 2 * 2**40)
    assert schedule.move(MoveId("america", "email")).declared is None
    assert _small().prices is None


def test_waves_follow_each_other_unless_they_say_else() -> None:
    assert [wave.after for wave in _small().waves] == [(), ("first",), ("second",)]
    free = _small(
        ("name: second\n", "name: second\n    after: []\n"),
        ("name: third\n", "name: third\n    after: [first, second]\n"),
    )
    assert [wave.after for wave in free.waves] == [(), (), ("first", "second")]
    assert _small(("name: third\n", "name: third\n    after: first\n")).wave("third").after == ("first",)


def test_an_account_s_own_keys_win_over_the_defaults() -> None:
    schedule = _small(
        ("accounts:\n", "defaults: {account: {credential: cli, requests_per_minute: 1M, tenant: t}}\naccounts:\n")
    )
    assert (schedule.accounts["eu-core"].credential, schedule.accounts["eu-core"].tenant) == ("cli", "t")
    assert (schedule.accounts["eu-web"].credential, schedule.accounts["eu-web"].tenant) == ("env:EU_WEB", "t")
    assert schedule.accounts["na-core"].requests_per_minute == 1_000_000


def test_all_areas_are_those_of_the_document() -> None:
    schedule = _small(
        ("areas: [web]}]\n    soak: 96h", 'areas: "*"}]\n    soak: 96h'),
        (
            "  - name: second\n    moves:\n      - region: america\n        areas: [email]\n    soak: 1h\n    gates: [calm]\n",
            "",
        ),
    )
    assert [move.id for move in schedule.wave("first").moves] == [MoveId("america", "web"), MoveId("america", "email")]
    assert schedule.move(MoveId("america", "web")).traffic_per_minute == 2_000_000
    assert schedule.move(MoveId("america", "email")).traffic_per_minute is None
    assert not any(move.is_measured for move in schedule.moves)


def test_times_are_utc() -> None:
    schedule = _small(("routing:", "freeze: [{from: 2026-12-24T00:00:00+01:00, to: '2027-01-04 00:00Z'}]\nrouting:"))
    assert schedule.freeze == (Freeze(datetime(2026, 12, 23, 23, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC)),)
    assert schedule.freeze[0].begin.tzinfo is UTC


# change | the document's fingerprint changes | that of wave first | that of wave third
PRINTS = [
    ("a comment", ("version: 1\n", "version: 1  # the first\n"), False, False, False),
    (
        "spelling of a mapping",
        ("regions:\n  america:\n    source: na-core\n", "regions:\n  america:\n    'source': \"na-core\"\n"),
        False,
        False,
        False,
    ),
    ("a gate", ("max: 0.001", "max: 0.002"), True, True, False),
    ("its soak", ("soak: 96h", "soak: 95h"), True, True, False),
    ("another wave's soak", ("soak: 0s", "soak: 1s"), True, False, True),
    ("an account", ("state/na-web.db", "state/na-web-2.db"), True, True, False),
    ("another account", ("https://euweb.", "https://euweb2."), True, False, True),
    ("an area", ("[web-*]", "[web-*, pages]"), True, True, True),
    ("the routing", ("state/routes.json", "state/other.json"), True, True, True),
    ("max_write", ("routing:", "cutover: {max_write: 50s}\nrouting:"), True, True, True),
]


@pytest.mark.parametrize(
    ("change", "document", "first", "third"), [pytest.param(*row[1:], id=row[0]) for row in PRINTS]
)
def test_fingerprints_change_with_what_they_are_about(
    change: tuple[str, str], document: bool, first: bool, third: bool
) -> None:
    before, after = loads(SMALL, "plan.yaml").schedule, _small(change)
    assert (before.fingerprint != after.fingerprint) is document
    assert (before.wave("first").fingerprint != after.wave("first").fingerprint) is first
    assert (before.wave("third").fingerprint != after.wave("third").fingerprint) is third


def test_fingerprints_are_the_same_in_every_process() -> None:
    schedule = loads(SMALL, "plan.yaml").schedule
    assert schedule.fingerprint == "2e84cef31c4d17fa708e402bafa89aaf540a9f867b1c362e3cf69c2cf68f5866"
    assert len(schedule.waves[0].fingerprint) == 64


def test_what_is_not_built_is_named_and_never_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(not_built, "NOT_BUILT", {"retire": not_built.ANY})
    text = changed(("routing:", "retire: {}\nrouting:"))
    loaded, at = loads(text, "plan.yaml"), place(text, "retire")
    assert loaded.schedule.not_built == (f"retire ({at})",)
    assert loaded.warnings == (f"{at}: retire is valid, but this version cannot do it yet: apply will refuse",)


BUILT = [
    ("an approval", ("name: third\n", "name: third\n    approval: required\n")),
    (
        "change windows",
        (
            "name: third\n",
            "name: third\n    change_windows: [{from: '22:00', to: '02:00', timezone: Europe/Berlin}]\n",
        ),
    ),
    ("not_before", ("name: third\n", "name: third\n    not_before: 2026-12-01T00:00:00Z\n")),
    ("a freeze", ("routing:", "freeze: [{from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z}]\nrouting:")),
    ("no approval", ("name: third\n", "name: third\n    approval: none\n")),
    ("a cooperative fence", ("routing:", "cutover: {fence: route, hold: true}\nrouting:")),
    ("content", ("routing:", "verify: {level: content}\nrouting:")),
    ("a promised date", ("name: third\n", "name: third\n    complete_by: 2026-12-01T00:00:00Z\n")),
    ("prices", ("routing:", "prices: {currency: EUR, write_per_10k: 0.05}\nrouting:")),
    (
        "an executable as a source",
        ("counters: {kind: local}\n", "counters: {kind: local}\n  more: {kind: command, argv: [x]}\n"),
    ),
    (
        "prometheus",
        ("counters: {kind: local}\n", "counters: {kind: local}\n  p: {kind: prometheus, url: 'http://127.0.0.1:9'}\n"),
    ),
    (
        "azure monitor",
        ("counters: {kind: local}\n", "counters: {kind: local}\n  a: {kind: azure-monitor, credential: cli}\n"),
    ),
    (
        "routes behind a command",
        ("{kind: file, path: state/routes.json}", "{kind: command, argv: [./routes, $region], env: [TOKEN]}"),
    ),
    ("notify", ("routing:", "notify: [{kind: webhook, url: 'env:X'}]\nrouting:")),
    ("a source kept warm", ("routing:", "cutover: {reverse: continuous}\nrouting:")),
    (
        "provision",
        (
            "    credential: env:EU_WEB",
            "    provision: {sku: Standard_LRS, shared_key: false, network: {default: deny, addresses: [203.0.113.7]}}\n"
            "    subscription: s\n    resource_group: r\n    location: l",
        ),
    ),
    ("max_moves", ("name: third\n", "name: third\n    max_moves: 2\n    on_failure: halt\n")),
    (
        "a sovereign cloud",
        (
            "routing:",
            "cloud: {authority: 'https://login.x', metrics: 'https://m', audience: 'https://s', ca_file: ca.pem,"
            " resource_manager: 'https://r'}\nrouting:",
        ),
    ),
]


@pytest.mark.parametrize("change", [pytest.param(row[1], id=row[0]) for row in BUILT])
def test_what_is_built_makes_no_warning(change: tuple[str, str]) -> None:
    loaded = loads(changed(change), "plan.yaml")
    assert loaded.schedule.not_built == ()
    assert loaded.warnings == ()


WARNINGS = [
    (
        "an account for nothing",
        ("  eu-core: {", "  spare: {kind: local, path: s.db}\n  eu-core: {"),
        "spare",
        "account spare is not used",
    ),
    (
        "a gate for nothing",
        (
            "waves:",
            "  idle: {source: counters, metric: error_ratio, max: 1%, on_no_data: pass, min_samples: 0}\nwaves:",
        ),
        "idle",
        "gate idle is not used",
    ),
    (
        "a target for nothing",
        ("{web: eu-web}", "{web: eu-web, email: eu-web}"),
        "email: eu-web",
        "europe/email has a target, and no wave moves it",
    ),
    (
        "traffic for nothing",
        ("targets: {web: eu-web}", "targets: {web: eu-web}\n    traffic: {email: 5}"),
        "email: 5",
        "area email has traffic in region europe",
    ),
    ("a soak without gates", ("soak: 0s", "soak: 1s"), "soak: 1s", "wave third soaks without gates"),
    ("gates without a soak", ("soak: 96h", "soak: 0s  # first"), "gates: [calm]", "wave first has a soak of 0"),
]


@pytest.mark.parametrize(("change", "at", "says"), [pytest.param(*row[1:], id=row[0]) for row in WARNINGS])
def test_what_is_probably_a_slip_is_a_warning(change: tuple[str, str], at: str, says: str) -> None:
    text = changed(change)
    (warning,) = warnings_of(text)
    assert warning.startswith(f"{place(text, at)}: {says}")


@pytest.mark.parametrize(
    ("document", "wave", "said"),
    [
        ("", "", "both"),
        ("target-only", "", "target-only"),
        ("target-only", "both", "both"),
        ("", "target-only", "target-only"),
    ],
)
def test_whether_a_source_may_be_written_for_a_canary(document: str, wave: str, said: str) -> None:
    changes = [("waves:", f"cutover: {{canary: {document}}}\nwaves:")] if document else []
    if wave:
        changes.append(("    soak: 96h", f"    soak: 96h\n    cutover: {{canary: {wave}}}"))
    assert _small(*changes).waves[0].cutover.canary == said


def test_a_built_in_gate_is_named_without_being_defined() -> None:
    text = changed(("soak: 1h\n    gates: [calm]", "soak: 1h\n    gates: [way-back-ready, calm]"))
    before, after = (loads(one, "plan.yaml").schedule for one in (SMALL, text))
    wanting = [wave for wave in after.waves if wave.needs_way_back]
    assert [[gate.name for gate in wave.gates] for wave in wanting] == [["calm"]]
    assert [was.fingerprint == wave.fingerprint for was, wave in zip(before.waves, after.waves, strict=True)].count(
        False
    ) == 1


def test_a_wave_says_of_its_own_whether_its_sources_are_kept_warm() -> None:
    text = changed(("name: third\n", "name: third\n    cutover: {reverse: continuous}\n"))
    found = {wave.name: wave.cutover.reverse for wave in loads(text, "plan.yaml").schedule.waves}
    assert found.pop("third") == "continuous"
    assert set(found.values()) == {"on-demand"}


@pytest.mark.parametrize(
    ("routing", "margin", "codes"),
    [
        ("{kind: app-configuration, endpoint: 'https://routes.azconfig.io'}", 15.0, ["full-drain"]),
        ("{kind: command, argv: [./routes, $region]}", 5.0, ["full-drain"]),
        ("{kind: file, path: state/routes.json}", 5.0, []),
    ],
)
def test_routes_without_a_register_are_told_and_wait_for_what_their_place_may_show_late(
    routing: str, margin: float, codes: list[str]
) -> None:
    schedule = loads(changed(("{kind: file, path: state/routes.json}", routing)), "plan.yaml").schedule
    assert schedule.routing.clock_margin_seconds == margin
    found = judged(CHECKS, Case(schedule=schedule, when=When.VALIDATE))
    assert [one.code for one in found if one.subject == "routing"] == codes


@pytest.mark.parametrize(
    ("routing", "told"),
    [
        ("{kind: app-configuration, endpoint: 'https://routes.azconfig.io', protocol: 2}", "has no register"),
        ("{kind: command, argv: [x], protocol: 2}", "have no register"),
        ("{kind: command, argv: []}", "routing"),
        ("{kind: app-configuration, endpoint: 'http://routes.azconfig.io'}", "https"),
        ("{kind: app-configuration}", "lacks the key endpoint"),
    ],
)
def test_routing_that_cannot_work_is_a_fault(routing: str, told: str) -> None:
    faults = faults_of(changed(("{kind: file, path: state/routes.json}", routing)))
    assert any(told in fault for fault in faults), faults


@pytest.mark.parametrize("written", ["measured", "{web: measured, email: measured}", "{web: measured, email: 5k}"])
def test_traffic_may_be_left_to_the_meter_of_a_region_or_of_an_area(written: str) -> None:
    schedule = _small(("traffic: {web: 2M}", f"traffic: {written}"))
    moves = {str(move.id): (move.is_measured, move.traffic_per_minute) for move in schedule.moves}
    assert moves["america/web"] == (True, None)
    assert moves["america/email"] == ((False, 5000.0) if "5k" in written else (True, None))
    assert moves["europe/web"] == (False, None)
