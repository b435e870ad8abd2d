"""The distant server: the ideal one, but every answer takes its time - a page of a listing longer than a copy.

It answers from nginx with Debian's Lua module (``distant.lua``), so what is measured is how a tool uses a service that is far
away and has room for many requests. Listings may begin at any name (``startFrom``) and hold as many names as are asked for.
``now`` changes what it shows while it runs: the target after a copy, and names that changed at the source. Rule: it never
limits how many requests are under way.
"""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.benchmarks import nginx
from tests.benchmarks.ideal import Ideal
from tests.benchmarks.listing import BODY, MD5, STAMP, containers_page, entry_of, etag_of, name_of

COPY_SECONDS: Final = 0.02
PAGE_SECONDS: Final = 0.2
MODULES: Final = tuple(
    Path("/usr/lib/nginx/modules") / name for name in ("ndk_http_module.so", "ngx_http_lua_module.so")
)
"""Source: Debian's libnginx-mod-http-ndk and libnginx-mod-http-lua."""
PROGRAM: Final = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True, slots=True)
class Distant(Ideal):
    """A running one."""

    def now(self, **what: str) -> None:
        """``target``: empty or full; ``changed``: every so manieth name of the source, of all its containers, has another
        generation from now on."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        client.request("GET", "/.now?" + "&".join(f"{name}={value}" for name, value in what.items()))
        answer = client.getresponse()
        answer.read()
        client.close()
        if answer.status != 200:
            raise RuntimeError(f"the distant server did not take {what}: {answer.status}")


def is_there() -> bool:
    """Has nginx its Lua module?"""
    return all(module.exists() for module in MODULES)


def prepare(folder: Path, objects: int, containers: tuple[str, ...] = ("data",)) -> None:
    """Write the entries of both sides once; runs share them. Each container holds the same ``objects`` names."""
    entries = folder / "entries"
    entries.mkdir(parents=True, exist_ok=True)
    for side in ("source", "target"):
        (entries / f"{side}-containers.xml").write_text(containers_page(side, list(containers)))
    stamp = entries / "objects"
    if stamp.exists() and stamp.read_text() == str(objects):
        return
    for side in ("source", "target"):
        with (entries / side).open("w", encoding="utf-8") as file:
            file.writelines(entry_of(index, side=side) for index in range(objects))
    (entries / "body").write_bytes(BODY)
    stamp.write_text(str(objects))


@contextlib.contextmanager
def running(
    program: str,
    folder: Path,
    *,
    target: str = "empty",
    copy_seconds: float = COPY_SECONDS,
    page_seconds: float = PAGE_SECONDS,
    port: int | None = None,
) -> Iterator[Distant]:
    """Serve what ``prepare`` wrote; one process, which is never busy with more than one core."""
    port, entries = port or nginx.free_port(), folder / "entries"
    first = entry_of(0, side="source")
    places = {
        "NAME_AT": first.index(name_of(0)),
        "NAME_BYTES": len(name_of(0)),
        "ETAG_AT": first.index(etag_of(0)),
        "ENTRY_BYTES": len(first.encode()),
        "GENERATION_AT": len("0x8DC"),
        "ENTRIES": entries,
        "OBJECTS": (entries / "objects").read_text(),
        "PAGE_SECONDS": page_seconds,
        "OTHER_SECONDS": copy_seconds,
        "MD5": MD5,
        "OWN_ETAG": f"'\"{STAMP:x}-{len(BODY):x}\"'",
    }
    text = re.sub(r"__([A-Z0-9_]+?)__", lambda found: str(places[found[1]]), PROGRAM.read_text(encoding="utf-8"))
    (folder / "distant_server.lua").write_text(text, encoding="utf-8")
    before = f'lua_package_path "{folder}/?.lua;;"; lua_shared_dict now 64m;'
    server = (
        f"server {{ listen 127.0.0.1:{port} reuseport backlog=4096; merge_slashes off;"
        ' location / { content_by_lua_block { require("distant_server").serve() } } }'
    )
    conf = nginx.conf(folder, server, before=before, modules=MODULES)
    with nginx.running(program, folder, conf, [port]):
        distant = Distant(folder, port, "http")
        distant.now(target=target)
        yield distant
