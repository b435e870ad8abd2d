"""The ideal server answers as an account does, and its log tells a copy from what is none."""

from __future__ import annotations

import http.client
import shutil
import ssl
from pathlib import Path

import pytest

from tests.benchmarks import certificates, ideal
from tests.benchmarks.listing import BODY, etag_of, name_of
from tests.benchmarks.rows.copying import fault_of

pytestmark = pytest.mark.system
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nginx"
OBJECTS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ideal.prepare(tmp_path, OBJECTS)
    return tmp_path


def ask(
    server: ideal.Ideal,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    trust: ssl.SSLContext | None = None,
) -> tuple[int, dict[str, str], bytes]:
    if trust is not None:
        client: http.client.HTTPConnection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trust)
    else:
        client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(method, path, headers=headers or {})
    answer = client.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    client.close()
    return found


def copy(server: ideal.Ideal, index: int, condition: str) -> None:
    headers = {"x-ms-source-if-match": condition} if condition else {}
    assert ask(server, "PUT", f"/target/data/{name_of(index)}?sig=x", headers)[0] == 202


def test_a_put_is_answered_by_its_kind(folder: Path) -> None:
    with ideal.running(NGINX, folder) as server:
        copied = ask(server, "PUT", f"/target/data/{name_of(3)}")
        written = ask(server, "PUT", f"/target/data/{name_of(3)}", {"x-ms-blob-type": "BlockBlob"})
        assert ask(server, "PUT", "/target/data?restype=container")[0] == 409
        assert ask(server, "DELETE", "/target/data/.migrate/probe-1")[0] == 202
    assert (copied[0], copied[1]["x-ms-copy-status"], copied[1]["etag"]) == (
        202,
        "success",
        f'"{etag_of(3, side="target")}"',
    )
    assert written[0] == 201
    assert "x-ms-copy-status" not in written[1]


def test_a_listing_from_a_name_on_is_refused_as_by_an_older_version(folder: Path) -> None:
    with ideal.running(NGINX, folder) as server:
        asked = ask(server, "GET", f"/source/data?restype=container&comp=list&startFrom={name_of(3)}")
    assert (asked[0], asked[1]["x-ms-error-code"]) == (400, "UnsupportedQueryParameter")
    assert ideal.copies_of(folder).refused == 0


def test_looks_agree_with_the_listing(folder: Path) -> None:
    with ideal.running(NGINX, folder) as server:
        head = ask(server, "HEAD", f"/source/data/{name_of(3)}")
        listed = ask(server, "GET", "/source/data?restype=container&comp=list")[2].decode()
        assert ask(server, "GET", "/source/?comp=list")[2].count(b"<Container>") == 1
        assert b"<SignedIdentifiers />" in ask(server, "GET", "/target/data?restype=container&comp=acl")[2]
        assert ask(server, "HEAD", "/source?restype=account&comp=properties")[1]["x-ms-account-kind"] == "StorageV2"
    assert head[0] == 200
    assert (head[1]["etag"], head[1]["content-length"]) == (f'"{etag_of(3)}"', str(len(BODY)))
    assert etag_of(3) in listed
    assert head[1]["content-md5"] in listed
    assert head[1]["last-modified"] in listed


def test_the_target_is_empty_or_full(folder: Path) -> None:
    for target, count in (("empty", 0), ("full", OBJECTS)):
        with ideal.running(NGINX, folder, target=target) as server:
            assert ask(server, "GET", "/target/data?restype=container&comp=list")[2].count(b"<Blob>") == count


def test_tls_is_shown_a_certificate_of_our_authority(folder: Path) -> None:
    tls = certificates.make(folder / "certificates")
    trust = ssl.create_default_context(cafile=str(tls.authority))
    with ideal.running(NGINX, folder, tls=tls) as server:
        assert ask(server, "HEAD", f"/source/data/{name_of(1)}", trust=trust)[0] == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server, "HEAD", "/source", trust=ssl.create_default_context())


def test_a_whole_copy_counts(folder: Path) -> None:
    with ideal.running(NGINX, folder) as server:
        for index in range(OBJECTS):
            copy(server, index, f'"{etag_of(index)}"')
        ask(server, "PUT", "/target/data/.migrate/probe-1", {"x-ms-blob-type": "BlockBlob"})
    assert fault_of(ideal.copies_of(folder), OBJECTS, is_ours=True) == ""


@pytest.mark.parametrize(
    ("copies", "why"),
    [
        ([(index, index) for index in range(OBJECTS - 1)], "11 copies of 11 names"),
        ([(index % 11, index % 11) for index in range(OBJECTS)], "12 copies of 11 names"),
        ([*((index, index) for index in range(OBJECTS)), (0, 0)], "13 copies of 12 names"),
        ([*((index, index) for index in range(OBJECTS - 1)), (11, None)], "1 copies without"),
        ([*((index, index) for index in range(OBJECTS - 1)), (11, 10)], "1 copies without"),
    ],
    ids=["one missing", "one twice, one missing", "one twice", "no condition", "another generation"],
)
def test_less_than_a_copy_does_not_count(folder: Path, copies: list[tuple[int, int | None]], why: str) -> None:
    with ideal.running(NGINX, folder) as server:
        for index, generation in copies:
            copy(server, index, f'"{etag_of(generation)}"' if generation is not None else "")
    assert why in fault_of(ideal.copies_of(folder), OBJECTS, is_ours=True)
