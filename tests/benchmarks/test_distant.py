"""The distant server takes its time, lists from any name on, and shows what was copied since its names changed."""

from __future__ import annotations

import http.client
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import distant
from tests.benchmarks.ideal import copies_of
from tests.benchmarks.listing import etag_of, name_of

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not distant.is_there(), reason="nginx has no Lua module: `make bench` installs it"),
]
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nginx"
OBJECTS = 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[distant.Distant]:
    distant.prepare(tmp_path, OBJECTS, ("data", "more"))
    with distant.running(NGINX, tmp_path, target="full", copy_seconds=0.05, page_seconds=0.1) as running:
        yield running


def ask(
    server: distant.Distant, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(method, path, headers=headers or {})
    answer = client.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()
    client.close()
    return found


def listed(server: distant.Distant, account: str, query: str = "", container: str = "data") -> str:
    status, _, text = ask(server, "GET", f"/{account}/{container}?restype=container&comp=list{query}")
    assert status == 200
    return text


def test_every_answer_takes_its_time(server: distant.Distant) -> None:
    begun = time.monotonic()
    assert ask(server, "PUT", f"/target/data/{name_of(3)}")[:1] == (202,)
    copied = time.monotonic()
    listed(server, "source")
    assert copied - begun >= 0.05
    assert time.monotonic() - copied >= 0.1


def test_listings_hold_every_name_once_from_wherever_they_begin(server: distant.Distant) -> None:
    names, marker = [], ""
    while True:
        text = listed(server, "source", f"&maxresults=7{marker}", "more")
        names += [piece.partition("<")[0] for piece in text.split("<Name>")[1:]]
        following = text.partition("<NextMarker>")[2].partition("<")[0]
        if not following:
            break
        marker = f"&marker={following}"
    assert names == [name_of(index) for index in range(OBJECTS)]
    text = listed(server, "target", f"&startFrom={name_of(38)}")
    assert (text.count("<Blob>"), etag_of(38, side="target") in text) == (2, True)
    assert listed(server, "source", f"&startFrom={name_of(38)}0").count("<Blob>") == 1
    assert listed(server, "source", f"&prefix={name_of(3)[:22]}").count("<Blob>") == 10
    assert listed(server, "source", "&prefix=.migrate%2F").count("<Blob>") == 0
    assert ask(server, "GET", "/source/?comp=list")[2].count("<Container>") == 2
    assert "<SignedIdentifiers />" in ask(server, "GET", "/target/box-000?restype=container&comp=acl")[2]


def test_the_target_is_empty_until_it_is_said_to_be_full(server: distant.Distant) -> None:
    server.now(target="empty")
    assert listed(server, "target").count("<Blob>") == 0
    assert listed(server, "source").count("<Blob>") == OBJECTS


def test_a_name_that_changed_is_as_it_was_at_the_target_until_it_is_copied(server: distant.Distant) -> None:
    server.now(changed="10")
    assert [
        listed(server, side).count("0x8DC1") + listed(server, side).count("0x8DD1") for side in ("source", "target")
    ] == [4, 0]
    new = etag_of(20).replace("0x8DC0", "0x8DC1")
    assert ask(server, "HEAD", f"/source/data/{name_of(20)}")[1]["etag"] == f'"{new}"'
    copied = ask(server, "PUT", f"/target/data/{name_of(20)}", {"x-ms-source-if-match": f'"{new}"'})
    assert copied[1]["etag"] == f'"{new.replace("DC", "DD")}"'
    assert listed(server, "target").count("0x8DD1") == 1
    assert listed(server, "target", container="more").count("0x8DD1") == 0


def test_names_change_among_all_containers(tmp_path: Path) -> None:
    boxes = ("box-000", "box-001", "box-002")
    distant.prepare(tmp_path, OBJECTS, boxes)
    with distant.running(NGINX, tmp_path, target="full", copy_seconds=0, page_seconds=0) as server:
        server.now(changed="50")
        changed = [listed(server, "source", container=one) for one in boxes]
    assert [text.count("0x8DC1") for text in changed] == [1, 1, 1]
    new = [
        etag_of(index).replace("0x8DC0", "0x8DC1") for index in (0, 10, 20)
    ]  # of 120: the first, the 50th and the 100th
    assert all(etag in text for etag, text in zip(new, changed, strict=True))


def test_its_log_tells_the_copies(tmp_path: Path) -> None:
    distant.prepare(tmp_path, OBJECTS)
    with distant.running(NGINX, tmp_path, copy_seconds=0, page_seconds=0) as server:
        for index in (1, 2):
            ask(server, "PUT", f"/target/data/{name_of(index)}", {"x-ms-source-if-match": f'"{etag_of(index)}"'})
    copies = copies_of(tmp_path)
    assert (copies.writes, copies.names, copies.refused) == (2, {name_of(1), name_of(2)}, 0)
