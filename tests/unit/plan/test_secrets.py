"""A secret in a plan is refused wherever it stands, and no fault repeats it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from migrator.plan import loads
from migrator.plan.canonical import canonical
from migrator.plan.parse import parse
from migrator.plan.secrets import has_secret, hide_secrets
from migrator.plan.tree import Fault, Mark
from tests.unit.plan.samples import SMALL, faults_of, place

SECRETS = [
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc;EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://a.b;SharedAccessSignature=sv=1&sig=abc",
    "sv=2024-01-01&ss=b&sig=abc%3D",
    "Endpoint=https://x;Id=y;Secret=abc",
    "A" * 86 + "==",
    "https://a.blob.core.windows.net/c?sv=1&sig%3Dabcdefghijklmnopqrstuvwxyz",
    "mysql+pymysql://h/d?passwd=hunter2hunter2hunter2hunter2",
    "postgresql://h/d?sslpassword=hunter2hunter2hunter2hunter2",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3Dhunter2hunter2",
    "mssql://h/d?x=PWD%253Dhunter2hunter2%26PWD%253Dhunter2hunter2",
    "postgresql://someone:hunter2hunter2hunter2@host/database",
    "https://:hunter2hunter2hunter2hunter2@prometheus.example",
    "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
    "authorization=Basic dXNlcjpwYXNzd29yZA==",
    "X-Api-Key: abcdefghijklmnopqrstuvwxyz",
    "x-functions-key: abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
    "--token=ghx0123456789abcdefghijklmnop",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "github_pat_0123456789abcdefghijklmnop",
    "xoxb-123456789012-abcdefghijkl",
    "https://hooks.slack.com/services/T000/B000/abcdefgh",
    "-----BEGIN RSA PRIVATE KEY----- MIIEowIBAAKCAQEA",
    "client_secret=abcdefghijklmnopqrstuvwxyz",
    "abc8Q~abcdefghijklmnopqrstuvwxyzabcdefgh",
    "X-Vault-Token: s.abcdefghijklmnopqrstuvwxyz",
    "Ocp-Apim-Subscription-Key: 0123456789abcdef0123456789abcdef",
    "Cookie: session=abcdefghijklmnopqrstuvwxyz",
    "password: hunter2hunter2hunter2hunter2",
    '{"password": "hunter2hunter2hunter2hunter2"}',
    "psql --password hunter2hunter2hunter2",
    "curl --user me:hunter2hunter2hunter2",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "template",
    [
        SMALL.replace("env:EU_WEB", "'{}'"),
        SMALL.replace("name: small", "name: '{}'"),
        SMALL.replace("https://euweb.blob.core.windows.net", "'{}'"),
        SMALL + "unknown: ['{}']\n",
        SMALL.replace("metric: throttled_ratio", "query: '{}'"),
        SMALL.replace("source: na-core", "source: '{}'"),
        SMALL.replace("soak: 96h", "soak: '{}'"),
        SMALL.replace("areas: [email]", "areas: ['{}']"),
        SMALL.replace("region: europe", "region: '{}'"),
        SMALL.replace("{web: 2M}", "{web: 2M, '{}': 5}"),
        SMALL.replace("version: 1\n", "version: 1\n'{}': 1\n"),
    ],
)
def test_a_secret_in_a_plan_is_refused_and_never_repeated(template: str, secret: str) -> None:
    text = template.replace("'{}'", f"'{secret}'")
    begin, end = secret[:24], secret[-24:]
    faults = faults_of(text)
    assert any(fault.startswith(f"{place(text, repr(secret))}: a secret is written here") for fault in faults), faults
    assert not [fault for fault in faults if begin in fault or end in fault]


KEY = base64.b64encode(hashlib.sha512(b"a key").digest()).decode()
STRING = f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "hidden",
    [
        KEY.rstrip("="),
        KEY.rstrip("=").translate(str.maketrans("+/", "-_")),
        encoded(STRING).rstrip("="),
        encoded(STRING).translate(str.maketrans("+/", "-_")),
        encoded(encoded(STRING).rstrip("=")),
        encoded("https://a.blob.core.windows.net/c?sv=1&sig=abcdefg"),
        quote(encoded("password=hunter2"), safe=""),
        quote(quote(quote("password=hunter2", safe=""), safe=""), safe=""),
        f"https://prom.example/{encoded('token=hunter2hunter2').rstrip('=')}/q",
        encoded("user:password"),
        encoded("me:hunter2"),
        encoded("Aladdin:open sesame"),
        encoded("ops@contoso.example:Pa55w0rd!$").translate(str.maketrans("+/", "-_")),
        encoded(encoded("user:password")),
        f"X-Auth={encoded('me:hunter2')}",
    ],
)
def test_a_secret_that_is_encoded_is_refused_too(hidden: str) -> None:
    words = json.dumps(["sh", "-c", f"echo {hidden} | base64 -d"])
    faults = faults_of(SMALL.replace("{kind: local}", f"{{kind: command, argv: {words}}}"))
    assert any("a secret is written here" in fault for fault in faults), faults
    assert not any(hidden in fault for fault in faults)


def test_an_unknown_credential_is_not_repeated() -> None:
    text = SMALL.replace("env:EU_WEB", "hunter2hunter2")
    (fault,) = faults_of(text)
    assert fault.startswith(f"{place(text, 'hunter2')}: accounts.eu-web.credential: a credential is named here")
    assert "hunter2" not in fault


def test_a_password_in_the_state_s_address_is_not_repeated() -> None:
    text = SMALL.replace("name: small", "name: small\nstate: postgresql://me:hunter2@host/db")
    (fault,) = faults_of(text)
    assert fault.startswith(f"{place(text, 'postgresql')}: a password is written here")
    assert "hunter2" not in fault


WORDS = [
    ["psql", "--password", "hunter2"],
    ["q", "--api-key", "hunter2"],
    ["curl", "-u", "me:hunter2"],
    ["curl", "--user", "me:hunter2", "https://x.example"],
    ["curl", "-H", "Authorization: hunter2"],
    ["psql", "postgresql://me:hunter2@h/d"],
    ["q", "--token=hunter2"],
    ["q", "-pwd=hunter2"],
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_secret_among_the_words_of_a_command_is_refused(words: list[str]) -> None:
    text = SMALL.replace("{kind: local}", f"{{kind: command, argv: {json.dumps(words)}}}")
    faults = faults_of(text)
    assert any("a secret is written here" in fault for fault in faults), faults
    assert not any("hunter2" in fault for fault in faults)


@pytest.mark.parametrize("key", ["password", "account_key", "AccountKey", "client-secret", "token", "connectionString"])
def test_a_key_that_names_a_secret_has_none_written_beside_it(key: str) -> None:
    text = SMALL.replace("    credential: env:EU_WEB", f"    provision: {{tags: {{{key}: hunter2}}}}")
    faults = faults_of(text)
    assert any("a secret is written here" in fault for fault in faults), faults
    assert not any("hunter2" in fault for fault in faults)


OLD_KEY = "A" * 86 + "=="


@pytest.mark.parametrize(
    "comment", [f"# old: AccountKey={OLD_KEY}", "# psql postgresql://me:hunter2@host/db", "# sig=abc"]
)
def test_a_secret_in_a_comment_is_warned_of_and_not_kept(comment: str) -> None:
    text = SMALL.replace("name: small\n", f"name: small\n{comment}\n")
    loaded = loads(text, "plan.yaml")
    assert [one.startswith("plan.yaml:3:1: a comment of this line") for one in loaded.warnings] == [True]
    kept = loaded.text + repr(loaded)
    assert comment not in kept
    assert OLD_KEY not in kept
    assert "hunter2" not in kept


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=20),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=10), part, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=10), VALUES, min_size=1, max_size=4))
def test_what_is_kept_is_the_same_plan(plain: dict[str, Any]) -> None:
    """Whatever characters it has: quotes, backslashes before a u, line ends of all alphabets, beyond 16 bits."""
    written = json.dumps(plain)
    assume("\\u0000" not in written and "<<" not in written)  # no plan has such keys
    tree, faults = parse(canonical(plain), "kept")
    assert not faults
    assert tree.value() == plain


def test_characters_beyond_sixteen_bits_are_kept() -> None:
    plain = {"a": "\U0001f600 \\\\ud83d \\ud83d\\ude00 \x85\u2028 \x7f"}
    assert parse(canonical(plain), "kept")[0].value() == plain


ORDINARY = [
    SMALL.replace("metric: throttled_ratio", "query: 'sum(rate(app_errors_total{token_type=\"x\"}[5m]))'").replace(
        "{kind: local}", "{kind: prometheus, url: 'https://prom.example:9090/a@b'}"
    ),
    SMALL.replace(
        "{kind: local}", "{kind: command, argv: [q, --token, env:MIGRATE_METRICS_TOKEN, --token=$TOKEN]}"
    ).replace("metric: throttled_ratio", "query: q"),
    SMALL.replace("name: small", "name: designs"),
    SMALL.replace("prefix: email/", "prefix: 'sig/password/'"),
    SMALL.replace("env:EU_WEB", "env:AccountKey"),
    SMALL.replace("prefix: email/", f"prefix: '{'Some-Folder-2026/' * 5}Z/'"),
    SMALL.replace("prefix: email/", "prefix: 'Zm9vYmFyYmF6cXV4cXV1eA/subscriptions/Aa0/Bb1/Cc2/Dd3/'"),
    SMALL.replace("prefix: email/", f"prefix: '{encoded('web:$PASSWORD')}/{encoded('https://prom.example:9090/a')}'"),
    SMALL.replace(
        "prefix: email/", f"prefix: '{encoded('name:')}/{encoded('at 10:30 UTC')}/{encoded('127.0.0.1:9090')}'"
    ),
    SMALL.replace("prefix: email/", "prefix: 'CustomerData/Placeholders/horizonsabcd/deadbeefcafe/Backfill2026'"),
    SMALL.replace(
        "{kind: local}", "{kind: command, argv: [q, '--password $PASSWORD', '--user $ME:$PASSWORD']}"
    ).replace("metric: throttled_ratio", "query: q"),
]


@pytest.mark.parametrize("text", ORDINARY)
def test_words_that_only_sound_like_secrets_are_fine(text: str) -> None:
    loads(text, "plan.yaml")


@pytest.mark.parametrize(
    "part",
    [
        "A",
        "a-",
        "-key",
        "-key   ",
        "--token",
        "-token: ",
        " -u a",
        "://",
        "a://:",
        "{",
        "abc/",
        "%41",
        "eyJ",
        "1Q~",
        "-----BEGIN ",
    ],
)
def test_a_long_text_is_searched_in_no_time(part: str) -> None:
    begun = time.process_time()
    has_secret(part * (50_000 // len(part)))
    assert time.process_time() - begun < 2


def test_a_fault_whose_words_would_repeat_a_secret_stays_a_fault() -> None:
    """Left out, it would make a plan valid that is not."""
    tree, _ = parse("version: 1\n", "plan.yaml")
    fault = Fault(Mark(1, 1), "unknown key, password: hunter2", ("version",), code="key")
    (kept,) = hide_secrets(tree, [fault])
    assert "hunter2" not in kept.text
    assert (kept.mark, kept.path, kept.code) == (fault.mark, fault.path, fault.code)
