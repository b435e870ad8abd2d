"""Every fault of a plan is found, said plainly, and points at its line and column. Waves and gates have files of their own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.errors import PlanError
from migrator.forecast import StartingPoint, look_ahead
from migrator.forecast.inventory import declared
from migrator.plan import loads
from tests.unit.plan.samples import SMALL, changed, faults_at, faults_of, place, warnings_of

ROUTING = "routing: {kind: file, path: state/routes.json}"
FIRST = "  - name: first\n"
THIRD = "  - name: third\n"
EU_WEB = "    endpoint: https://euweb.blob.core.windows.net\n"
SHAPE = [
    (
        "unknown key",
        "version: 1\n",
        "version: 1\nnmae: x\n",
        "nmae",
        "unknown key nmae in the plan; did you mean name?",
    ),
    ("unknown key of an account", "eu-web:\n", "eu-web:\n    endpiont: x\n", "endpiont", "did you mean endpoint?"),
    (
        "a far key lists the keys",
        ROUTING,
        "routing: {kind: file, path: r.json, zzz: 1}",
        "zzz",
        "its keys are kind, path",
    ),
    ("a key in the wrong place", FIRST, FIRST + "    cutover: {max_write: 5s}\n", "max_write", "never in a wave"),
    (
        "alias names are the keys",
        "soak: 0s\n",
        "soak: 0s\nfreeze: [{from: 2026-12-01T00:00:00Z, too: x}]\n",
        "too:",
        "mean to?",
    ),
    ("missing key of the plan", "name: small\n", "", "version", "the plan lacks the key name"),
    ("missing routing", ROUTING, "", "version", "the plan lacks the key routing"),
    ("missing key of a wave", "    soak: 96h\n", "", "name: first", "waves[0] lacks the key soak"),
    ("missing on_no_data", ", on_no_data: pass, min_samples: 0", "", "calm: {", "gates.calm lacks the key on_no_data"),
    ("version 2", "version: 1", "version: 2", "2", "version: expected one of 1"),
    ("a number for a name", "name: small", "name: 5", "5", "name: expected text, found a number"),
    (
        "a list for a mapping",
        "accounts:\n",
        "budget: []\naccounts:\n",
        "[]",
        "budget: expected a mapping of keys",
    ),
    (
        "a mapping for a list",
        "    gates: [calm]\n  - name: second",
        "    gates: {a: b}\n  - name: second",
        "{a: b}",
        "a list",
    ),
    (
        "nothing for a mapping",
        "metrics:\n  counters: {kind: local}\n",
        "metrics:\n",
        "gates:",
        "metrics: expected a mapping",
    ),
    ("a bad name of an account", "na-core: {", "'na core': {", "'na core'", "a name has letters, digits, dots"),
    (
        "a wrong word",
        "kind: file",
        "kind: flie",
        "flie",
        "expected one of file, blob, app-configuration, command",
    ),
    ("a wrong metric", "metric: throttled_ratio", "metric: throtled", "throtled", "one of requests_per_minute"),
    ("a duration without a unit", "soak: 96h", "soak: 96", "96", "waves[0].soak: '96' is not a duration"),
    ("a duration with a wrong unit", "soak: 96h", "soak: 96hours", "96hours", "is not a duration"),
    ("no ttl", "state/routes.json}", "r.json, ttl: 0s}", "0s}", "longer than 0"),
    ("a long ttl", "state/routes.json}", "r.json, ttl: 24h}", "24h", "shorter than a day"),
    ("a count in words", "web: 2M", "web: two", "two", "'two' is not a count"),
    ("a size without a unit", ROUTING, ROUTING + "\nbudget: {bytes_per_second: 5}", "5}", "'5' is not a size"),
    ("a budget of 0", ROUTING, ROUTING + "\nbudget: {requests_per_minute: 0}", "0}", "must be more than 0"),
    ("more than all", ROUTING, ROUTING + "\ncutover: {max_delete: 101%}", "101%", "100% or less"),
    ("a truth in words", ROUTING, ROUTING + "\ncutover: {hold: yes}", "yes", "expected true or false"),
    (
        "an unknown key of a default",
        ROUTING,
        ROUTING + "\ndefaults: {account: {path: x}}",
        "path: x",
        "unknown key path in defaults.account",
    ),
    ("no passes", ROUTING, ROUTING + "\ncutover: {max_passes: 0}", "0}", "1 or more"),
    ("an empty list of containers", "containers: [web-*]", "containers: []", "[]", "a list of containers"),
    ("a container in capitals", "[web-*]", "[Web]", "Web", "a container's name has 3 to 63 lower-case letters"),
    ("the tool's own prefix", "prefix: email/", "prefix: .migrate/x", ".migrate/x", "belong to the tool"),
    ("http to elsewhere", "https://euweb", "http://euweb", "http://euweb", "only a loopback address may use http"),
    ("http to a name that looks near", "https://euweb.", "http://127.0.0.1.", "http://127.0.0.1.blob", "not encrypted"),
    ("a bare host", "https://euweb.blob.core.windows.net", "euweb", "euweb", "this is not an address"),
    (
        "a SAS on an endpoint",
        "euweb.blob.core.windows.net",
        "euweb.x/?sv=1",
        "https://euweb",
        "no user, query or fragment",
    ),
    ("a user in an endpoint", "https://euweb", "https://me:pw@euweb", "https://me", "a secret is written here"),
    ("a user alone in an endpoint", "https://euweb", "https://me@euweb", "https://me", "no user, query or fragment"),
    (
        "an invalid zone",
        THIRD,
        THIRD + '    change_windows: [{from: "02:00", to: "03:00", timezone: Mars/Base}]\n',
        "Mars",
        "time zone",
    ),
    (
        "a path for a zone",
        THIRD,
        THIRD + '    change_windows: [{from: "02:00", to: "03:00", timezone: ../../etc}]\n',
        "../..",
        "zone",
    ),
    (
        "a bad time of day",
        THIRD,
        THIRD + '    change_windows: [{from: "25:00", to: "03:00", timezone: UTC}]\n',
        '"25:00"',
        "time of day",
    ),
    (
        "a bad day",
        THIRD,
        THIRD + '    change_windows: [{days: [mo], from: "02:00", to: "03:00", timezone: UTC}]\n',
        "mo]",
        "one of mon",
    ),
    (
        "a time without a zone",
        THIRD,
        THIRD + "    not_before: 2026-12-01T00:00:00\n",
        "2026-12",
        "a time with its zone",
    ),
    ("no such day", THIRD, THIRD + "    not_before: 2026-02-30T00:00:00Z\n", "2026-02", "there is no such time"),
    (
        "a webhook in the open",
        ROUTING,
        ROUTING + "\nnotify: [{kind: webhook, url: 'https://x.y/z'}]",
        "'https://x.y",
        "is a secret",
    ),
    ("areas as a word", "areas: [email]", "areas: email", "email\n    soak", '"*" for all of them'),
    ("an infinite bound", "max: 0.001", "max: .inf", ".inf", "'.inf' is not a number"),
    ("merge keys", "  na-web: {", "  na-web: {<<: {}, ", "<<", "no merge keys"),
    ("a key that is a list", "  na-web: {", "  na-web: {[1]: 2, ", "[1]", "a key is a word here"),
    (
        "a key twice",
        "name: small\n",
        "name: small\nname: again\n",
        "name: again",
        "the key name stands here twice; the first is on line 2",
    ),
]
ACCOUNTS = [
    ("no endpoint", EU_WEB, "", "eu-web:", "account eu-web lacks the key endpoint, which kind azure needs"),
    ("no path", "{kind: local, path: state/na-web.db}", "{kind: local}", "na-web:", "lacks the key path"),
    ("a path on azure", EU_WEB, EU_WEB + "    path: x.db\n", "path: x.db", "the key path is not one of kind azure"),
    ("a location on a local one", "state/na-web.db}", "w.db, location: x}", "location", "not one of kind local"),
    (
        "provision alone",
        EU_WEB,
        EU_WEB + "    provision: {sku: Standard_LRS}\n",
        "provision",
        "needs subscription and resource_group and location",
    ),
    *(
        (
            f"provision: {words}",
            EU_WEB,
            f"{EU_WEB}    subscription: s\n    resource_group: r\n    location: l\n    provision: {wanted}\n",
            "provision: {",
            words,
        )
        for wanted, words in (
            ("{}", "`sku` must say one, such as Standard_ZRS"),
            ("{sku: zrs}", "`sku` must say one"),
            ("{sku: Standard_ZRS, kind: FileStorage}", "`kind` must be StorageV2 or BlockBlobStorage"),
            ("{sku: Standard_ZRS, region: x}", "there is no key `region`"),
            ("{sku: Standard_ZRS, tags: [a]}", "`tags` must be names with texts"),
            ("{sku: Standard_ZRS, tags: {migrate-lineage: a}}", "none named migrate-lineage"),
            ("{sku: Standard_ZRS, public_access: maybe}", "`public_access` must be true or false"),
            ("{sku: Standard_ZRS, settings: some}", "`settings` must be copy or leave"),
            ("{sku: Standard_ZRS, network: deny}", "`network` must be a mapping"),
            ("{sku: Standard_ZRS, network: {default: some}}", "`network.default` must be allow or deny"),
            ("{sku: Standard_ZRS, network: {ports: 1}}", "there is no key `network.ports`"),
            ("{sku: Standard_ZRS, network: {addresses: all}}", "`network.addresses` must be a list"),
        )
    ),
    (
        "one endpoint twice",
        "https://euweb.blob",
        "https://EUCORE.blob",
        "https://EUCORE",
        "is the same as account eu-core",
    ),
    (
        "com for net",
        "https://euweb.blob.core.windows.net",
        "https://euweb.blob.core.windows.com",
        "https://euweb",
        "windows.com",
    ),
    (
        "another service",
        "https://euweb.blob.core",
        "https://euweb.dfs.core",
        "https://euweb",
        "write https://euweb.blob.core.windows.net",
    ),
    (
        "a host in front",
        "https://euweb.blob",
        "https://euweb.evil.blob",
        "https://euweb",
        "none of Azure's blob services",
    ),
    (
        "the secondary endpoint",
        "https://euweb.blob",
        "https://euweb-secondary.blob",
        "https://euweb",
        "write https://euweb.blob.core.windows.net",
    ),
    (
        "one account with and without a port",
        "https://euweb.blob.core.windows.net",
        "https://eucore.blob.core.windows.net:443",
        "https://eucore.blob.core.windows.net:443",
        "is the same as account eu-core",
    ),
    (
        "a container in the endpoint",
        "https://euweb.blob.core.windows.net",
        "https://euweb.blob.core.windows.net/box",
        "https://euweb",
        "containers and prefixes stand under `areas`",
    ),
    ("one file twice", "state/na-web.db", "./state/na-core.db", "./state/na-core", "is the same as account na-core"),
    (
        "blob routing without a name",
        ROUTING,
        "routing: {kind: blob, account: eu-core, container: routing}",
        "routing:",
        "lacks the key name",
    ),
    (
        "a path on blob routing",
        ROUTING,
        "routing: {kind: blob, account: eu-core, container: routing, name: r, path: p}",
        "path: p",
        "not one of kind blob",
    ),
    (
        "routing on nobody",
        ROUTING,
        "routing: {kind: blob, account: eu-cor, container: routing, name: r}",
        "eu-cor,",
        "did you mean eu-core?",
    ),
    (
        "routing inside an area",
        ROUTING,
        "routing: {kind: blob, account: eu-core, container: web-routes, name: r}",
        "web-routes",
        "would lie in area web",
    ),
    (
        "routing in a glob",
        ROUTING,
        "routing: {kind: blob, account: eu-core, container: r-*, name: r}",
        "r-*",
        "not a glob",
    ),
    ("a budget of nobody", ROUTING, ROUTING + "\nbudget: {accounts: {na-cor: {}}}", "na-cor:", "did you mean na-core?"),
    (
        "a password in state",
        "name: small\n",
        "name: small\nstate: postgresql://me:pw@host/db\n",
        "postgresql",
        "a password is written here",
    ),
]
AREAS = [
    ("areas that overlap", "{name: events, prefix: email/}", "web-visits", "web-visits", "areas web and email overlap"),
    ("globs that overlap", "{name: events, prefix: email/}", "'*-visits'", "'*-visits'", "web-* and *-visits may mean"),
    (
        "a prefix within a whole container",
        "{name: events, prefix: email/}",
        "{name: web-1, prefix: e/}",
        "{name: web-1",
        "overlap",
    ),
    (
        "an area that names blobs twice",
        "[web-*]",
        "[web-*, {name: web-a, prefix: b/}]",
        "{name: web-a",
        "names blobs twice",
    ),
    (
        "an unknown source",
        "source: na-core",
        "source: na-cor",
        "na-cor\n",
        "there is no account na-cor; did you mean na-core?",
    ),
    (
        "an unknown target",
        "email: na-email}",
        "email: na-mail}",
        "na-mail",
        "there is no account na-mail; did you mean na-email?",
    ),
    (
        "an unknown area of a target",
        "{web: eu-web}",
        "{web: eu-web, wbe: eu-web}",
        "wbe",
        "there is no area wbe; did you mean web?",
    ),
    (
        "an unknown area of traffic",
        "traffic: {web: 2M}",
        "traffic: {wb: 2M}",
        "wb:",
        "there is no area wb; did you mean web?",
    ),
    ("a target that is the source", "{web: eu-web}", "{web: eu-core}", "eu-core}", "is its source account eu-core"),
    (
        "two moves into one space",
        "{web: eu-web}",
        "{web: na-web}",
        "na-web}\nrouting",
        "region america moves area web into account na-web too",
    ),
    (
        "a target that is another's source",
        "email: na-email}",
        "email: eu-core}",
        "eu-core}\n    traffic",
        "is the source of region europe",
    ),
    (
        "two regions with one source",
        "source: eu-core",
        "source: na-core",
        "eu-web}",
        "region america moves area web from account na-core too",
    ),
    (
        "an area without any target",
        "areas:\n  web:",
        "areas:\n  img: {containers: [images]}\n  web:",
        "img",
        "has no target in any region",
    ),
    (
        "an unknown pair",
        "    targets: {web: eu-web}",
        "    pair: amerca\n    targets: {web: eu-web}",
        "amerca",
        "did you mean america?",
    ),
    (
        "its own pair",
        "    targets: {web: eu-web}",
        "    pair: europe\n    targets: {web: eu-web}",
        "europe\n    targets",
        "its own pair",
    ),
]
SHARED = [
    (
        "state: sqlite:///state/one.db",
        "routing: {kind: file, path: state/one.db}",
        "state/a.db",
        "file of the state store",
    ),
    (
        "state: sqlite:///./state/one.db",
        "routing: {kind: file, path: r.json}",
        "state/../state/one.db",
        "the state store",
    ),
    ("state: postgresql://h/d", "routing: {kind: file, path: state/a.db}", "./state/a.db", "the route document"),
    ("state: sqlite:///state/one.db", "routing: {kind: file, path: r.json}", "state/a.db", ""),
]
WARNED = [
    ("prefix: 'email/*'", "`*`: a prefix is taken as it stands"),
    ("prefix: 'e?/'", "`?`: a prefix is taken as it stands"),
    ("prefix: '/email/'", "a slash at its begin: a prefix is taken as it stands"),
    ("prefix: 'email/ '", "a space at its begin or end: a prefix is taken as it stands"),
]


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [pytest.param(*row[1:], id=row[0]) for row in SHAPE + ACCOUNTS + AREAS],
)
def test_a_fault_is_found_where_it_is(old: str, new: str, at: str, says: str) -> None:
    assert any(says in fault for fault in faults_at(old, new, at)), faults_of(changed((old, new)))


def test_the_small_plan_is_valid() -> None:
    assert loads(SMALL, "plan.yaml").warnings == ()


def test_all_faults_are_reported_together_in_the_order_of_the_file() -> None:
    text = changed(
        ("name: small", "nmae: small"),  # shape
        ("source: na-core", "source: na-cor"),  # reference
        ("soak: 96h", "soak: forever"),  # value
        ("areas: [email]", "areas: [emial]"),  # reference, in a wave beside a faulty one
        ("version: 1\n", "version: 1\nversion: 1\n"),  # parsing
    )
    found = faults_of(text)
    assert [fault.split(": ")[0] for fault in found] == [
        "plan.yaml:1:1",
        place(text, "version: 1\nnmae"),
        place(text, "nmae"),
        place(text, "na-cor\n"),
        place(text, "forever"),
        place(text, "emial"),
    ]


def test_a_part_that_does_not_fit_makes_no_second_fault() -> None:
    """A faulty account is still a known name; a faulty bound is still a bound."""
    text = changed(("max: 0.001", "max: many"), ("na-web: {kind: local", "na-web: {kind: lcal"))
    assert [fault.split(": ")[0] for fault in faults_of(text)] == [place(text, "lcal"), place(text, "many")]


def test_a_faulty_part_hides_no_other_fault_beside_it() -> None:
    """A soak that is none, or is missing, and a gate that is misspelt in the same wave, and in the section that it names."""
    for soak in ("soak: soon", "soka: 96h"):
        text = changed(
            ("soak: 96h\n    gates: [calm]", f"{soak}\n    gates: [clam]"), ("throttled_ratio", "throtled_ratio")
        )
        said = " ".join(faults_of(text))
        assert "there is no gate clam; did you mean calm?" in said, said
        assert "; did you mean throttled_ratio?" in said, said
        assert len(faults_of(text)) == (3 if soak == "soak: soon" else 4)
    moves = "    moves: [{region: america, areas: [web]}]\n    soak: 96h\n    gates: [calm]"
    text = changed((moves, "    soak: 96h\n    gates: [clam]"))
    assert any("there is no gate clam" in one for one in faults_of(text)), faults_of(text)


def test_a_star_that_wants_quotes_is_said_in_words() -> None:
    for text in (changed(("areas: [email]", "areas: *")), changed(("{containers: [web-*]}", "{containers: [*]}"))):
        assert "a value that begins with * has to be put into quotes" in faults_of(text)[0]


def test_the_message_counts_the_faults() -> None:
    with pytest.raises(PlanError, match=r"cannot use plan plan\.yaml: it has 1 fault$"):
        loads(changed(("source: na-core", "source: na-cor")), "plan.yaml")


@pytest.mark.parametrize(("state", "routing", "path", "says"), SHARED)
def test_two_things_in_one_file_are_a_fault(state: str, routing: str, path: str, says: str) -> None:
    text = changed(("name: small", f"name: small\n{state}"), (ROUTING, routing))
    text = text.replace("accounts:\n", f"accounts:\n  lab: {{kind: local, path: '{path}'}}\n", 1)
    if not says:
        assert loads(text, "plan.yaml")
        return
    assert any(says in one and "needs one of its own" in one for one in faults_of(text)), faults_of(text)


def test_hosts_that_are_not_azures_are_acknowledged_in_routing() -> None:
    far = changed(("https://euweb.blob.core.windows.net", "https://euweb.blob.contoso.example"))
    assert any("euweb.blob.contoso.example" in fault for fault in faults_of(far))
    for host in ("euweb.blob.contoso.example", "*.blob.contoso.example"):
        named = far.replace(ROUTING, ROUTING.replace("}", f", hosts: ['{host}']}}"))
        assert loads(named, "plan.yaml").schedule.routing.hosts == (host,)
    for host in ("*", "*.example", "user@host.example", "http://host.example", "a b"):
        assert faults_of(far.replace(ROUTING, ROUTING.replace("}", f", hosts: ['{host}']}}")))


def test_the_protocol_of_the_routes_is_1_unless_the_plan_says_2() -> None:
    text = changed()
    usual = loads(text, "plan.yaml").schedule
    said = {number: text.replace(ROUTING, ROUTING.replace("}", f", protocol: {number}}}")) for number in (1, 2, 3)}
    assert usual.routing.protocol == 1
    assert loads(said[2], "plan.yaml").schedule.routing.protocol == 2
    assert faults_of(said[3])
    same, other = loads(said[1], "plan.yaml").schedule, loads(said[2], "plan.yaml").schedule
    assert [wave.fingerprint for wave in same.waves] == [wave.fingerprint for wave in usual.waves]  # approvals hold
    assert [wave.fingerprint for wave in other.waves] != [wave.fingerprint for wave in usual.waves]


@pytest.mark.parametrize(("written", "says"), WARNED)
def test_a_prefix_that_looks_like_a_pattern_is_warned_of(written: str, says: str) -> None:
    text = changed(("{containers: [web-*]}", f"{{containers: [{{name: web-x, {written}}}]}}"))
    assert [says in one for one in warnings_of(text)] == [True]


@pytest.mark.parametrize("path", ["${HOME}/r.json", "$HOME/r.json", "~/r.json", "%USERPROFILE%/r.json"])
def test_a_variable_in_a_path_is_warned_of(path: str) -> None:
    text = changed((ROUTING, f"routing: {{kind: file, path: '{path}'}}"))
    assert ["nothing is substituted here" in one for one in warnings_of(text)] == [True]


@pytest.mark.parametrize("path", ["state/r~1.json", "state/50%/r.json", "a$/b"])
def test_what_only_looks_like_one_is_not(path: str) -> None:
    assert warnings_of(changed((ROUTING, f"routing: {{kind: file, path: '{path}'}}"))) == ()


def test_another_version_is_told_from_this_one() -> None:
    (fault,) = faults_of(changed(("version: 1", "version: 2")))
    assert fault.endswith("version: expected one of 1; this program reads version 1")


def test_half_a_character_is_a_fault_where_it_stands() -> None:
    for text in (SMALL + '"\\ud800": 1\n', SMALL.replace("prefix: email/", 'prefix: "a\\udfff/"')):
        (fault,) = faults_of(text)
        assert fault.startswith(f"{place(text, chr(34))}: expected a character, found an unpaired surrogate")


@pytest.mark.parametrize("escape", ["\\0", "\\x00", "\\u0000"])
def test_a_nul_is_a_fault_where_it_stands(escape: str) -> None:
    for text in (SMALL + f'"a{escape}": 1\n', SMALL.replace("prefix: email/", f'prefix: "a{escape}/"')):
        (fault,) = faults_of(text)
        assert fault.startswith(f"{place(text, chr(34))}: expected a character, found NUL")


def test_a_huge_inventory_and_a_tiny_budget_are_forecast_as_never() -> None:
    text = changed(
        ("traffic: {web: 2M}", "inventory: {web: {objects: 999999999999999G, bytes: 999999999999999TiB}}"),
        ("routing:", "budget: {requests_per_minute: 0.000000001, bytes_per_second: 1B}\nrouting:"),
    )
    schedule = loads(text, "plan.yaml").schedule
    inventories = {move.id: declared(move.declared) for move in schedule.moves if move.declared}
    look_ahead(schedule, inventories, StartingPoint(datetime(2026, 12, 1, tzinfo=UTC)))
