"""nginx from Debian, started for one run with a folder of its own and an access log that tells what was asked.

Decides how it is started, ended and how its log is read. Leaves what it answers to who writes the configuration: ``ideal``
answers by itself, a relay passes on. Rule: everything listens on 127.0.0.1 and ends with its run; keys and signatures in its
log are made up for that run.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LOG_FORMAT = r"""
  map $request_uri $asked_path { "~^(?<before_query>[^?]*)" $before_query; }
  log_format asked escape=none '$msec\t$status\t$request_method\t$asked_path\t$arg_comp\t'
                               '$http_x_ms_source_if_match\t$http_user_agent\t$args';
"""
START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the access log. ``at``: when it was answered, seconds; ``path``: as sent, without the ``query``;
    ``source_if_match`` as sent (quoted), or empty."""

    at: float
    status: int
    method: str
    path: str
    comp: str
    source_if_match: str
    agent: str
    query: str


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def conf(folder: Path, servers: str, *, before: str = "", processes: int = 1, modules: Sequence[Path] = ()) -> str:
    """A whole configuration around ``servers``; ``before`` goes into ``http`` in front of them (maps, upstreams)."""
    loaded = "\n".join(f"load_module {module};" for module in modules)
    places = "\n".join(
        f"  {kind}_temp_path {folder}/tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    owner = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""  # else it reads as www-data
    return f"""
{loaded}
{owner}
daemon off;
worker_processes {processes};
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
{places}
  {LOG_FORMAT}
  access_log {folder}/access.log asked buffer=256k flush=1s;
  default_type application/xml;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_max_body_size 0;
  sendfile on;
  tcp_nodelay on;
  server_tokens off;
  open_file_cache max=20000 inactive=600s;
  open_file_cache_valid 600s;
  {before}
  {servers}
}}
"""


@contextlib.contextmanager
def running(nginx: str, folder: Path, text: str, ports: list[int]) -> Iterator[None]:
    """Run it with this configuration; RuntimeError if it does not come up. Ends with its log written out."""
    shutil.rmtree(folder / "tmp", ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    (folder / "access.log").unlink(missing_ok=True)
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _wait(process, ports)
        yield
    finally:
        process.terminate()  # its workers write their buffered lines on the way out
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ports: list[int]) -> None:
    deadline = time.monotonic() + START_SECONDS
    for port in ports:
        while True:
            if process.poll() is not None:
                said = process.stderr.read().decode(errors="replace") if process.stderr else ""
                raise RuntimeError(f"nginx did not start: {said.strip()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"nginx did not listen on port {port} within {START_SECONDS:.0f} s")
            time.sleep(0.02)


def asked(folder: Path) -> Iterator[Asked]:
    """The log's lines, in the order they were written."""
    with (folder / "access.log").open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            at, status, method, path, comp, if_match, agent, query = line.rstrip("\n").split("\t")
            yield Asked(float(at), int(status), method, path, comp, if_match, agent, query)
