"""A secret in a plan is refused wherever it stands, and no fault repeats it."""

from __future__ import annotations

import pytest

from migrator.plan import loads
from tests.unit.plan.samples import SMALL, faults_of, place

SECRETS = [
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc;EndpointSuffix=core.windows.net",
    "BlobEndpoint=https://a.b;SharedAccessSignature=sv=1&sig=abc",
    "sv=2024-01-01&ss=b&sig=abc%3D",
    "Endpoint=https://x;Id=y;Secret=abc",
    "A" * 86 + "==",
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
    faults = faults_of(text)
    assert any(fault.startswith(f"{place(text, repr(secret))}: a secret is written here") for fault in faults), faults
    assert not [fault for fault in faults if secret[-24:] in fault or secret[:24] in fault]


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


ORDINARY = [
    SMALL.replace("name: small", "name: designs"),
    SMALL.replace("prefix: email/", "prefix: 'sig/password/'"),
    SMALL.replace("env:EU_WEB", "env:AccountKey"),
]


@pytest.mark.parametrize("text", ORDINARY)
def test_words_that_only_sound_like_secrets_are_fine(text: str) -> None:
    loads(text, "plan.yaml")
