"""What is PostgreSQL's alone: which addresses are accepted, and how a connection is set up.

Decides TLS, where a password comes from, and what the server is told of our patience. Rules:

- no password stands in a URL: it is a reference (``password=env:NAME`` or ``file:PATH``), read anew for each connection; or
  libpq's own ways (a password file, PGPASSWORD);
- a server that is not this machine is spoken to over TLS with its certificate checked, unless the URL says otherwise in so
  many words;
- of several hosts the one that may be written to is used, so that a connection made after a failover finds the new primary;
- a client that stood still keeps no lock: the server ends a transaction that says nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

from migrator.adapters.state.database import BUSY_SECONDS, Database
from migrator.adapters.state.deadlines import Deadlines
from migrator.errors import StateError, StateUnusable

DRIVER: Final = "postgresql+psycopg"
CONNECT_SECONDS: Final = 4
"""For one host; libpq takes whole seconds, 2 at least."""
LOCK_SECONDS: Final = 5.0
"""For another commit to end, which takes milliseconds."""
PLAIN_IS_TOLD: Final = "plaintext"
"""Option of our own in the URL: ``plaintext=yes`` beside ``sslmode=disable`` (or a mode that may fall back to it)."""
_CHECKED: Final = frozenset({"verify-full", "verify-ca"})
_ENCRYPTED: Final = _CHECKED | {"require"}
_SECRETS: Final = ("password", "sslpassword")
_FIRST_LOCK: Final = 0x6D69_6772_6174_65
"""Of pg_advisory_xact_lock: "migrate". Two processes that make the tables at once wait for each other."""


def is_postgres(url: URL) -> bool:
    return url.get_backend_name() == "postgresql" or url.drivername == "postgres"


def open_database(url: URL, place: str, environ: Mapping[str, str]) -> Database:
    """A pool of connections to ``url``. Nothing is sent yet. StateError where the address is not one that is used."""
    if url.drivername not in ("postgres", "postgresql", DRIVER):
        raise _cannot_open(place, f"{url.drivername} is not a driver that it is kept with", f"write {DRIVER}://")
    bare, secrets = _without_secrets(url, place)
    given = _options(bare, place, environ)
    deadlines = Deadlines()
    engine = _engine(bare.set(drivername=DRIVER).difference_update_query([PLAIN_IS_TOLD]), given, place)

    def log_in(_dialect: object, _record: object, _arguments: object, options: dict[str, Any]) -> None:
        for name, reference in secrets.items():
            options[name] = _read(reference, place, environ)

    event.listen(engine, "do_connect", log_in)
    event.listen(engine, "connect", _set_up)
    return Database(engine, place, is_remote=True, watch=deadlines.watch, closing=deadlines.close)


def make_others_wait(connection: Connection) -> None:
    """Until the end of the transaction, whoever else wants to make the tables waits, and that may take long."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_FIRST_LOCK})"))


def _engine(url: URL, given: Mapping[str, Any], place: str) -> Engine:
    try:
        return create_engine(
            url, hide_parameters=True, isolation_level="READ COMMITTED", pool_size=1, max_overflow=4, connect_args=given
        )
    except ImportError as fault:
        raise _cannot_open(place, "its driver is not installed", "pip install 'migrator[postgres]'") from fault


def _set_up(raw: Any, _record: object) -> None:
    seconds = {
        "statement_timeout": BUSY_SECONDS,
        "lock_timeout": LOCK_SECONDS,
        "idle_in_transaction_session_timeout": BUSY_SECONDS,
    }
    with raw.cursor() as cursor:
        for name, most in seconds.items():
            cursor.execute(f"SET {name} = {round(most * 1000)}")
    raw.commit()


def _without_secrets(url: URL, place: str) -> tuple[URL, dict[str, str]]:
    """The URL without its references, and those: name of the option -> ``env:NAME`` or ``file:PATH``."""
    found = {name: str(url.query[name]) for name in _SECRETS if name in url.query}
    if url.password is not None:
        found["password"] = str(url.password)
    for name, reference in found.items():
        kind, colon, what = reference.partition(":")
        if kind not in ("env", "file") or not colon or not what:
            raise _cannot_open(
                place,
                f"a {name} stands in its URL, and URLs are seen by others",
                f"write ?{name}=env:NAME of a variable or ?{name}=file:PATH of a file that holds it",
            )
    bare = url.difference_update_query(_SECRETS)
    return URL.create(bare.drivername, bare.username, None, bare.host, bare.port, bare.database, bare.query), found


def _read(reference: str, place: str, environ: Mapping[str, str]) -> str:
    kind, _, what = reference.partition(":")
    if kind == "env":
        if not environ.get(what):
            raise StateUnusable(
                f"cannot open the state store {place}: the variable {what} of its password is not set",
                hint=f"put the password into {what}, then run the same command again",
            )
        return environ[what]
    try:
        return Path(what).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as fault:
        cause = fault.strerror if isinstance(fault, OSError) and fault.strerror else type(fault).__name__
        raise StateUnusable(
            f"cannot open the state store {place}: the file {what} of its password cannot be read: {cause.lower()}",
            hint="name a file that holds the password alone, and that you may read",
        ) from None


def _options(url: URL, place: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """What is told to libpq beside the URL, where the URL says nothing of it."""
    options: dict[str, Any] = {
        "application_name": "migrate",
        "connect_timeout": CONNECT_SECONDS,
        "target_session_attrs": "read-write",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": round(BUSY_SECONDS * 1000),
    }
    if not all(_is_here(host) for host in _hosts(url, environ)):
        options |= _secured(url, place)
    return {name: value for name, value in options.items() if name not in url.query}


def _secured(url: URL, place: str) -> dict[str, Any]:
    mode = url.query.get("sslmode")
    if mode is None:
        return {"sslmode": "verify-full", **({} if "sslrootcert" in url.query else {"sslrootcert": "system"})}
    if mode not in _ENCRYPTED and url.query.get(PLAIN_IS_TOLD) != "yes":
        raise _cannot_open(
            place,
            f"sslmode={mode} may send everything in the clear to another machine",
            f"leave sslmode out (its certificate is checked), or add {PLAIN_IS_TOLD}=yes if the way there is safe",
        )
    needs_authority = mode in _CHECKED and "sslrootcert" not in url.query
    return {"sslrootcert": "system"} if needs_authority and mode == "verify-full" else {}


def _hosts(url: URL, environ: Mapping[str, str]) -> list[str]:
    """Every host that libpq may connect to; a name that says nothing where it cannot be known here."""
    if "service" in url.query or environ.get("PGSERVICE"):
        return ["a service"]
    found: list[str] = []
    for key in ("host", "hostaddr"):
        given = url.query.get(key, ())
        found += [given] if isinstance(given, str) else given
    if url.host:
        found.append(url.host)
    elif not found:
        found.append(environ.get("PGHOSTADDR") or environ.get("PGHOST") or "")
    return [name for each in found for name in each.split(",")]


def _is_here(host: str) -> bool:
    """Is it this very machine: a socket of the file system, or loopback? Other names are not looked up: they may change."""
    name = host.rpartition(":")[0] if host.count(":") == 1 else host
    if name in ("", "localhost") or name.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _cannot_open(place: str, why: str, hint: str) -> StateError:
    return StateError(f"cannot open the state store {place}: {why}", hint=hint)
