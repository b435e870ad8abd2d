"""Every spelling of one account is one place, and what is not surely one is two."""

from __future__ import annotations

import pytest

from migrator.model.addresses import blob_endpoint_of, place_of, shown, surplus_path

SAME = [
    ("https://a00.blob.core.windows.net", "https://A00.blob.core.windows.net/"),
    ("https://a00.blob.core.windows.net", "https://a00.blob.core.windows.net:443"),
    ("https://a00.blob.core.windows.net", "https://a00.blob.core.windows.net."),
    ("https://a00.blob.core.windows.net", "https://a00.dfs.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00-secondary.blob.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00-secondary.dfs.core.windows.net.:443/"),
    ("https://a00.blob.core.windows.net", "https://a00.privatelink.blob.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00.z13.web.core.windows.net"),
    ("https://a00.z01.blob.storage.azure.net", "https://a00-secondary.z01.blob.storage.azure.net"),
    ("https://a00.blob.core.chinacloudapi.cn", "https://a00.dfs.core.chinacloudapi.cn"),
    ("http://127.0.0.1:10000/dev", "http://localhost:10000/dev"),
    ("http://127.0.0.1:10000/dev", "http://127.9.0.1:10000/dev/"),
    ("http://127.0.0.1:10000/dev", "http://[::1]:10000/dev"),
    ("http://127.0.0.1:10000/dev", "http://[::ffff:127.0.0.1]:10000/%64ev"),
    ("http://127.0.0.1:10000/dev", "http://127.0.0.1:10000/dev-secondary"),
    ("http://127.0.0.1:10000/dev", "http://dev.blob.localhost:10000"),
    ("http://127.0.0.1:10000/dev", "http://dev-secondary.blob.localhost:10000/"),
    ("https://10.0.0.1/dev", "https://10.0.0.1/dev-secondary/"),
    ("https://a00.blob.core.windows.net", "https://a00-microsoftrouting.blob.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00-internetrouting.dfs.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00-dualstack.blob.core.windows.net"),
    ("https://[2001:db8::1]/dev", "https://[2001:0DB8:0:0::1]:443/DEV"),
    ("https://[::ffff:10.0.0.1]/dev", "https://10.0.0.1/dev"),
]
OTHER = [
    ("https://a00.blob.core.windows.net", "https://a01.blob.core.windows.net"),
    ("https://a00.blob.core.windows.net", "https://a00.blob.core.usgovcloudapi.net"),
    ("https://a00.z01.blob.storage.azure.net", "https://a00.z02.blob.storage.azure.net"),
    ("http://127.0.0.1:10000/dev", "http://127.0.0.1:10000/dev2"),
    ("http://127.0.0.1:10000/dev", "http://127.0.0.1:10001/dev"),
    ("https://files.example", "https://files-secondary.example"),
    ("https://files.example/dev", "https://files.example/dev-secondary"),
    ("http://127.0.0.1:10000/dev", "http://127.0.0.1:10000/dev-second"),
    ("http://dev.blob.localhost:10000", "http://dev2.blob.localhost:10000"),
    ("https://a00-microsoftrouting.blob.core.windows.net", "https://a01-microsoftrouting.blob.core.windows.net"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_account(one: str, other: str) -> None:
    assert place_of(one) == place_of(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_two_accounts(one: str, other: str) -> None:
    assert place_of(one) != place_of(other)


MEANT = [
    ("https://a00.dfs.core.windows.net", "https://a00.blob.core.windows.net"),
    ("https://a00.table.core.windows.net", "https://a00.blob.core.windows.net"),
    ("https://a00.queue.core.usgovcloudapi.net", "https://a00.blob.core.usgovcloudapi.net"),
    ("https://a00-secondary.blob.core.windows.net", "https://a00.blob.core.windows.net"),
    ("https://a00.z13.web.core.windows.net", "https://a00.blob.core.windows.net"),
    ("https://a00.z01.dfs.storage.azure.net", "https://a00.z01.blob.storage.azure.net"),
    ("https://a00.blob.core.windows.net", None),
    ("https://dfs.example", None),
    ("http://127.0.0.1:10000/dev", None),
    ("http://127.0.0.1:10000/dev-secondary", "http://127.0.0.1:10000/dev"),
    ("https://10.0.0.1/dev-secondary/", "https://10.0.0.1/dev"),
    ("http://dev-secondary.blob.localhost:10000", "http://dev.blob.localhost:10000"),
    ("https://files.example/dev-secondary", None),
    ("https://a00-microsoftrouting.blob.core.windows.net", None),
    ("https://a00-internetrouting.dfs.core.windows.net", "https://a00-internetrouting.blob.core.windows.net"),
    ("https://a00-secondary-dualstack.blob.core.windows.net", "https://a00-dualstack.blob.core.windows.net"),
]


@pytest.mark.parametrize(("endpoint", "meant"), MEANT)
def test_the_blob_endpoint_that_was_meant(endpoint: str, meant: str | None) -> None:
    assert blob_endpoint_of(endpoint) == meant


@pytest.mark.parametrize(
    ("endpoint", "surplus"),
    [
        ("https://a00.blob.core.windows.net/box", "box"),
        ("https://a00.blob.core.windows.net/", ""),
        ("http://127.0.0.1:10000/dev", ""),
        ("http://127.0.0.1:10000/dev/box", "box"),
        ("https://10.0.0.1/dev/box/blob", "box/blob"),
    ],
)
def test_what_stands_behind_the_account(endpoint: str, surplus: str) -> None:
    assert surplus_path(endpoint) == surplus


SHOWN = [
    ("postgresql://me:hunter2@host:5432/db", "postgresql://host:5432/db"),
    ("postgresql://host/db?user=me&password=hunter2", "postgresql://host/db?..."),
    ("postgresql://me:hun/ter2@host/db", "postgresql://host/db"),
    ("postgresql://me:hunter2@host:notaport/db", "postgresql://host:notaport/db"),
    ("sqlite:///state/migrator.db", "sqlite:///state/migrator.db"),
    ("sqlite:////abs/m@x.db", "sqlite:////abs/m@x.db"),
    ("sqlite:///file:x.db?uri=true&password=hunter2", "sqlite:///file:x.db?..."),
    ("https://a00.blob.core.windows.net/c?sig=hunter2#hunter2", "https://a00.blob.core.windows.net/c?..."),
    ("https://[::1]:10000/a#hunter2", "https://[::1]:10000/a?..."),
    ("me:hunter2@host", "an address that cannot be shown"),
]


@pytest.mark.parametrize(("url", "text"), SHOWN)
def test_an_address_is_shown_without_what_may_be_secret(url: str, text: str) -> None:
    assert shown(url) == text
    assert "hunter2" not in shown(url)
