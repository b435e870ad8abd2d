"""The ideal server: two accounts that answer at once whatever a copying or comparing tool asks, and store nothing.

It answers as a storage account does - by kind of PUT, with the headers that the tools look at - from nginx alone, so what is
measured is the tool. A copy counts only by the log: ``copies_of`` says which names were written, and under which condition.

It is of a version that lists from the first name on only, and says so.

``/source/data`` lists the made-up objects; ``/target/data`` lists nothing, or the same names as after a finished copy.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import nginx
from tests.benchmarks.certificates import Certificates
from tests.benchmarks.listing import BODY, MD5, MODIFIED, STAMP, containers_page, write_pages

CONTAINER = "data"
OWN_ETAG = f"'\"{STAMP:x}-{len(BODY):x}\"'"
"""The generation of every name that is not listed (probes): nginx's own for the body, so that a read under it is answered."""


@dataclass(frozen=True, slots=True)
class Ideal:
    """A running one. ``folder`` holds its log; ``scheme``: http or https."""

    folder: Path
    port: int
    scheme: str

    def endpoint(self, account: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{account}"


@dataclass(frozen=True, slots=True)
class Copies:
    """What the log shows of a run: ``names`` written, how often each copy came, and their source conditions."""

    writes: int
    names: frozenset[str]
    conditions: dict[str, str]
    refused: int
    requests: int


def prepare(folder: Path, objects: int) -> None:
    """Write the listings of both sides once; runs share them."""
    www = folder / "www"
    if (www / "objects").exists() and (www / "objects").read_text() == str(objects):
        os.utime(www / "body", (STAMP, STAMP))  # a checkout that was copied or touched has another
        return
    write_pages(www / "source", objects, side="source", container=CONTAINER)
    write_pages(www / "target-full", objects, side="target", container=CONTAINER)
    write_pages(www / "target-empty", 0, side="target", container=CONTAINER)
    (www / "source-containers.xml").write_text(containers_page("source", [CONTAINER]))
    (www / "target-containers.xml").write_text(containers_page("target", [CONTAINER]))
    (www / "body").write_bytes(BODY)
    os.utime(www / "body", (STAMP, STAMP))  # its Last-Modified, as in the listings
    (www / "objects").write_text(str(objects))


@contextlib.contextmanager
def running(
    program: str, folder: Path, *, target: str = "empty", tls: Certificates | None = None, processes: int = 1
) -> Iterator[Ideal]:
    """Serve what ``prepare`` wrote. ``target``: ``empty``, or ``full`` as after a finished copy."""
    port = nginx.free_port()
    listen = f"listen 127.0.0.1:{port} reuseport backlog=4096;"
    if tls is not None:
        listen = (
            f"listen 127.0.0.1:{port} ssl reuseport backlog=4096; ssl_certificate {tls.chain}; ssl_certificate_key"
            f" {tls.key}; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:8m;"
        )
    server = _SERVER % {"listen": listen, "www": folder / "www", "target": target}
    text = nginx.conf(folder, server, before=_MAPS, processes=processes)
    with nginx.running(program, folder, text, [port]):
        yield Ideal(folder, port, "https" if tls else "http")


def copies_of(folder: Path) -> Copies:
    """Read the log of a run that has ended."""
    prefix = f"/target/{CONTAINER}/"
    times: Counter[str] = Counter()
    conditions: dict[str, str] = {}
    refused = requests = 0
    for one in nginx.asked(folder):
        requests += 1
        refused += one.status >= 400 and one.status not in (404, 409) and "startFrom=" not in one.query
        if one.method != "PUT" or not one.path.startswith(prefix) or one.comp:
            continue
        name = one.path.removeprefix(prefix)
        if name.startswith(".migrate/"):
            continue
        times[name] += 1
        conditions[name] = one.source_if_match
    return Copies(times.total(), frozenset(times), conditions, refused, requests)


# A copy is a PUT without a blob type (Copy Blob answers 202); with one it makes a blob (201), from a URL or from bytes.
_MAPS = """
  map "$request_method:$http_x_ms_blob_type:$arg_comp" $kind {
    "PUT::"       copy;
    "~^PUT:.+:$"  put;
    "~^PUT:"      part;
    "~^DELETE:"   delete;
    default       look;
  }
  map $kind $copy_status { copy success; default ""; }
  map $kind $copy_id { copy $request_id; default ""; }
  map $asked_path $etag {
    "~^/source/data/visit-2026-11-(?<index>[0-9]+)-" '"0x8DC000$index"';
    "~^/target/data/visit-2026-11-(?<index>[0-9]+)-" '"0x8DD000$index"';
    default @own;
  }
  map $arg_marker $page { "~^p[0-9]+$" $arg_marker; default p0; }
""".replace("@own", OWN_ETAG)

_SERVER = r"""
  server {
    %(listen)s
    root %(www)s;
    etag off;
    add_header x-ms-request-id $request_id always;
    add_header x-ms-version $http_x_ms_version always;
    add_header x-ms-sku-name Standard_LRS;
    add_header x-ms-account-kind StorageV2;
    add_header x-ms-is-hns-enabled false;

    location ~ "^/(?<account>source|target)/?$" {
      if ($arg_restype = account) { return 200; }
      try_files /$account-containers.xml =404;
    }
    location ~ "^/(?<account>source|target)/data/?$" {
      set $folder source;
      if ($account = target) { set $folder target-%(target)s; }
      if ($request_method = PUT) { rewrite ^ /.container last; }
      if ($arg_prefix ~ "^(\.|%%2E)migrate") { set $folder target-empty; }
      if ($arg_startFrom) { rewrite ^ /.older last; }
      if ($arg_comp = list) { rewrite ^ /$folder/$page.xml last; }
      if ($arg_comp = acl) { rewrite ^ /.acl last; }
      rewrite ^ /.properties last;
    }
    location = /.container {
      internal;
      add_header x-ms-request-id $request_id always;
      add_header x-ms-error-code ContainerAlreadyExists always;
      return 409 '<?xml version="1.0"?><Error><Code>ContainerAlreadyExists</Code><Message>It exists.</Message></Error>';
    }
    location = /.older {
      internal;
      add_header x-ms-request-id $request_id always;
      add_header x-ms-error-code UnsupportedQueryParameter always;
      return 400 '<?xml version="1.0"?><Error><Code>UnsupportedQueryParameter</Code><Message>Not here.</Message></Error>';
    }
    location = /.acl {
      internal;
      add_header x-ms-request-id $request_id always;
      add_header x-ms-version $http_x_ms_version always;
      add_header ETag '"0x8DE0000000000001"';
      add_header Last-Modified "@modified";
      return 200 '<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers />';
    }
    location = /.properties {
      internal;
      add_header x-ms-request-id $request_id always;
      add_header x-ms-version $http_x_ms_version always;
      add_header ETag '"0x8DE0000000000001"';
      add_header Last-Modified "@modified";
      add_header x-ms-lease-status unlocked;
      add_header x-ms-lease-state available;
      add_header x-ms-has-immutability-policy false;
      add_header x-ms-has-legal-hold false;
      return 200;
    }
    location ~ "^/(source|target-empty|target-full)/p[0-9]+\.xml$" { internal; try_files $uri =404; }
    location ~ "^/(?<account>source|target)/data/." {
      add_header x-ms-request-id $request_id always;
      add_header x-ms-version $http_x_ms_version always;
      add_header ETag $etag always;
      add_header Last-Modified "@modified" always;
      add_header x-ms-request-server-encrypted true always;
      add_header x-ms-copy-status $copy_status always;
      add_header x-ms-copy-id $copy_id always;
      if ($kind = copy) { return 202; }
      if ($kind = delete) { return 202; }
      if ($kind ~ "^(put|part)$") { return 201; }
      rewrite ^ /.blob last;
    }
    location = /.blob {
      internal;
      etag on;
      add_header x-ms-request-id $request_id always;
      add_header x-ms-version $http_x_ms_version always;
      add_header ETag $etag;
      add_header Content-MD5 "@md5";
      add_header x-ms-blob-type BlockBlob;
      add_header x-ms-creation-time "@modified";
      add_header x-ms-lease-status unlocked;
      add_header x-ms-lease-state available;
      add_header x-ms-server-encrypted true;
      add_header x-ms-access-tier Hot;
      add_header x-ms-access-tier-inferred true;
      default_type application/json;
      alias %(www)s/body;
    }
  }
""".replace("@modified", MODIFIED).replace("@md5", MD5)
