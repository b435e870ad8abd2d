"""Faults and warnings of gates and of the sources of their figures, each at its line and column."""

from __future__ import annotations

import pytest

from migrator.plan import loads
from tests.unit.plan.samples import changed, faults_at, faults_of, place, warnings_of

GATE = "{source: counters, metric: throttled_ratio, max: 0.001, on_no_data: pass, min_samples: 0}"
GATES = [
    (
        "a gate by the name of a built-in one",
        "waves:",
        "  way-back-ready: {source: counters, metric: error_ratio, max: 0.1, on_no_data: fail}\nwaves:",
        "{source: counters, metric: error_ratio",
        "gate way-back-ready is built in",
    ),
    (
        "a key for azure monitor",
        "counters: {kind: local}",
        "counters: {kind: local}\n  a: {kind: azure-monitor, credential: env:KEY}",
        "env:KEY",
        "Azure Monitor takes no key or signature",
    ),
    (
        "a command without words",
        "counters: {kind: local}",
        "counters: {kind: command, argv: []}",
        "[]",
        "expected at least one",
    ),
    (
        "prometheus' key elsewhere",
        "counters: {kind: local}",
        "counters: {kind: local, mode: instant}",
        "mode",
        "not one of kind local",
    ),
    (
        "an unknown source of figures",
        "source: counters",
        "source: counter",
        "counter,",
        "there is no metric counter; did you mean counters?",
    ),
    ("neither metric nor query", "metric: throttled_ratio, ", "", "calm", "needs one of metric and query"),
    ("a query of local figures", "metric: throttled_ratio", "query: up", "query", "takes a metric, not a query"),
    ("a figure nobody counts", "throttled_ratio", "server_latency_ms", "server_lat", "embedded accounts do not count"),
    ("no bound", "max: 0.001, ", "", "calm", "gate calm has no bound"),
    ("near alone", "max: 0.001", "near: 2M", "near", "near needs within beside it"),
    ("within alone", "max: 0.001", "max: 1, within: 5%", "within", "within needs near beside it"),
    ("within in bare numbers", "max: 0.001", "near: 5, within: 0.1", "0.1", "'0.1' is not a percentage"),
    ("near and max", "max: 0.001", "near: 5, within: 1%, max: 7", "near", "one way to bound is enough"),
    (
        "relative without a ratio",
        "max: 0.001",
        "max: 1, relative_to: source",
        "relative_to",
        "relative_to needs max_ratio",
    ),
    ("a ratio to nothing", "max: 0.001", "max_ratio: 1.2", "max_ratio", "max_ratio needs relative_to"),
    (
        "the source against itself",
        "max: 0.001",
        "account: source, relative_to: source, max_ratio: 2",
        "source, max_ratio",
        "with itself",
    ),
    ("a min above the max", "max: 0.001", "max: 1, min: 2", "2, on_no", "so nothing passes"),
    ("fail_above inside", "max: 0.001", "max: 5, fail_above: 4", "4, on", "fail_above needs a max or near below it"),
    ("fail_below alone", "max: 0.001", "max: 5, fail_below: 4", "4, on", "fail_below needs a min or near above it"),
    (
        "prometheus without an address",
        "counters: {kind: local}",
        "counters: {kind: prometheus}",
        "counters:",
        "lacks the key url",
    ),
    (
        "a wrong substitution",
        GATE,
        GATE.replace("metric: throttled_ratio", "query: 'up{r=\"$regoin\"}'"),
        "'up{",
        "$regoin stands for nothing",
    ),
]
AZURE = ("counters: {kind: local}", "counters: {kind: azure-monitor}")
POINTLESS = [
    ("error_ratio, max: 1", "can never fail: error_ratio is 0 to 1"),
    ("error_ratio, max: 100%", "can never fail: error_ratio is 0 to 1"),
    ("throttled_ratio, max: 5", "can never fail: throttled_ratio is 0 to 1"),
    ("error_ratio, min: 0", "can never fail"),
    ("error_ratio, max: 0.01, fail_above: 1", "can never fail"),
    ("error_ratio, near: 0.5, within: 100%", "can never fail"),
    ("availability_percent, min: 0", "can never fail: availability_percent is 0 to 100"),
    ("availability_percent, max: 100", "can never fail"),
    ("availability_percent, min: 0.999", "availability_percent is 0 to 100, and 0.999 is less than one percent"),
    ("availability_percent, min: 99.9%", "availability_percent is 0 to 100, and 0.999 is less than one percent"),
    ("requests_per_minute, min: 0", "can never fail: requests_per_minute is 0 or more"),
    ("e2e_latency_ms, min: 0", "can never fail"),
    ("error_ratio, min: 2", "can never pass: error_ratio is 0 to 1"),
    ("availability_percent, min: 101", "can never pass"),
    ("e2e_latency_ms, max: -1", "can never pass"),
    ("requests_per_minute, near: 2M, within: 15%", ""),
    ("requests_per_minute, near: 2M, within: 100%", ""),
    ("error_ratio, max: 99%", ""),
    ("error_ratio, max: 0", ""),
    ("error_ratio, min: 0, max: 0.5", ""),
    ("availability_percent, min: 99.9", ""),
    ("availability_percent, min: 100", ""),
    ("availability_percent, max: 0.5", ""),
    ("requests_per_minute, min: 1", ""),
    ("error_ratio, max: 1, relative_to: source, max_ratio: 2", ""),
]
PROM = "{kind: prometheus, url: 'https://prom.example', credential: env:%s%s}"


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [pytest.param(*row[1:], id=row[0]) for row in GATES],
)
def test_a_fault_is_found_where_it_is(old: str, new: str, at: str, says: str) -> None:
    assert any(says in fault for fault in faults_at(old, new, at)), faults_of(changed((old, new)))


def test_local_figures_are_of_embedded_accounts() -> None:
    text = changed(("    soak: 0s\n", "    soak: 1h\n    gates: [calm]  # third\n"))
    assert faults_of(text) == (
        f"{place(text, 'calm]  # third')}: gate calm asks local figures of account eu-web, which is not an embedded account",
    )


def test_azure_monitor_is_asked_of_azure_accounts_whose_place_is_known() -> None:
    text = changed(AZURE, ("    soak: 0s\n", "    soak: 1h\n    gates: [calm]  # third\n"))
    assert faults_of(text) == (
        f"{place(text, 'calm]')}: gate calm asks Azure Monitor's figures of account na-web, which is an embedded account",
        f"{place(text, 'calm]' + chr(10) + '  - name: third')}: gate calm asks Azure Monitor's figures of account na-email,"
        " which is an embedded account",
    )
    there = ": {kind: azure, subscription: s, resource_group: r, location: l, endpoint: 'https://NAME.blob.core.windows.net'}"
    for name in ("core", "web", "email"):
        text = text.replace(
            f"na-{name}: {{kind: local, path: state/na-{name}.db}}", f"na-{name}{there.replace('NAME', name)}"
        )
    assert warnings_of(text) == (), (
        "a plan may be written before its accounts exist; what is missing is found by gates.reach"
    )


def test_azure_monitor_tells_no_less_than_a_minute() -> None:
    text = changed(AZURE, ("metric: throttled_ratio,", "metric: throttled_ratio, window: 30s,"))
    assert f"{place(text, '30s')}: Azure Monitor tells whole minutes: the window must be 1m or longer" in faults_of(
        text
    )


@pytest.mark.parametrize(
    ("words", "wanted"),
    [("", "min_samples (by default) wants 1"), (", min_samples: 3", "min_samples wants 3"), (", min_samples: 0", "")],
)
def test_a_gate_that_passes_on_silence_and_wants_a_value_is_warned_of(words: str, wanted: str) -> None:
    text = changed(("on_no_data: pass, min_samples: 0", f"on_no_data: pass{words}"))
    said = f"{place(text, 'on_no_data')}: gate calm passes on silence, but {wanted} with a value"
    assert [one.startswith(said) for one in warnings_of(text)] == ([True] if wanted else [])


@pytest.mark.parametrize(("bounds", "says"), POINTLESS)
def test_a_gate_that_can_never_fail_or_never_pass_is_warned_of(bounds: str, says: str) -> None:
    text = changed((GATE, GATE.replace("throttled_ratio, max: 0.001", bounds)))
    told = [one for one in warnings_of(text) if "gate calm" in one]
    assert [says in one for one in told] == ([True] if says else []), told


@pytest.mark.parametrize(
    ("variable", "more", "is_refused"),
    [
        ("NA_EMAIL_CONNECTION", "", True),
        ("MIGRATE_STATE", "", True),
        ("MIGRATE_METRICS_TOKEN", "", False),
        ("PROM_TOKEN", ", env: [PROM_TOKEN]", False),
        ("PROM_TOKEN", ", env: [OTHER]", True),
    ],
)
def test_a_source_of_figures_names_variables_of_its_own(variable: str, more: str, is_refused: bool) -> None:
    text = changed(("{kind: local}", PROM % (variable, more)), ("metric: throttled_ratio", "query: up"))
    if is_refused:
        (fault,) = faults_of(text)
        assert f"{place(text, 'env:' + variable)}: a source of figures gets variables whose names begin with" in fault
    else:
        loads(text, "plan.yaml")
