"""Which addresses of PostgreSQL are accepted, and what libpq is told beside them: no password in sight, no plain word abroad."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from migrator.adapters.state import open_store, postgres
from migrator.adapters.state.faults import place_of
from migrator.errors import StateError, StateUnusable

ABROAD = ["db.example.net", "10.0.0.5", "[2001:db8::1]", "localhost.example.net", "127.0.0.1.example.net"]
HERE = ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"]


def told(url: str, **environ: str) -> dict[str, object]:
    return postgres._options(make_url(url), "there", environ)


@pytest.mark.parametrize("host", ABROAD)
def test_another_machine_shows_its_certificate(host: str) -> None:
    options = told(f"postgresql://me@{host}/db")
    assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "system")


@pytest.mark.parametrize("host", HERE)
def test_this_machine_needs_no_certificate(host: str) -> None:
    assert "sslmode" not in told(f"postgresql://me@{host}/db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///db?host=127.0.0.1&host=10.0.0.5",
        "postgresql:///db?host=127.0.0.1,10.0.0.5",
        "postgresql:///db?host=localhost:5432&host=db.example.net:5433",
        "postgresql://localhost/db?hostaddr=10.0.0.5",
        "postgresql:///db?service=far",
    ],
)
def test_one_host_abroad_is_enough(url: str) -> None:
    assert told(url)["sslmode"] == "verify-full"


@pytest.mark.parametrize("environ", [{"PGHOST": "10.0.0.5"}, {"PGHOSTADDR": "10.0.0.5"}, {"PGSERVICE": "far"}])
def test_a_host_of_the_environment_counts(environ: dict[str, str]) -> None:
    assert told("postgresql:///db", **environ)["sslmode"] == "verify-full"
    assert "sslmode" not in told("postgresql:///db")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "nonsense"])
def test_a_mode_that_may_speak_plainly_must_be_meant(mode: str) -> None:
    url = f"postgresql://me@db.example.net/db?sslmode={mode}"
    with pytest.raises(
        StateError, match=f"cannot open the state store .*: sslmode={mode} may send everything in the clear"
    ):
        open_store(url, "p")
    assert "sslmode" not in told(f"{url}&plaintext=yes")  # the URL's stands


@pytest.mark.parametrize(("mode", "authority"), [("require", None), ("verify-ca", None), ("verify-full", "system")])
def test_a_mode_of_the_url_stands(mode: str, authority: str | None) -> None:
    options = told(f"postgresql://me@db.example.net/db?sslmode={mode}")
    assert ("sslmode" in options, options.get("sslrootcert")) == (False, authority)


def test_an_authority_of_the_url_stands() -> None:
    options = told("postgresql://me@db.example.net/db?sslrootcert=/etc/ours.pem")
    assert (options["sslmode"], "sslrootcert" in options) == ("verify-full", False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2hunter2@127.0.0.1/db",
        "postgresql://me@127.0.0.1/db?password=hunter2hunter2",
        "postgresql://me@127.0.0.1/db?sslpassword=hunter2hunter2",
        "postgres://me:hunter2hunter2@127.0.0.1/db",
        "postgresql+psycopg://me:env:@127.0.0.1/db?application_name=hunter2hunter2",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StateError, match="password stands in its URL") as refused:
        open_store(url, "p")
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("url", ["postgresql://me:env%3APG@h/db", "postgresql://me@h/db?password=env:PG"])
def test_a_reference_stays_out_of_what_the_driver_is_given(url: str) -> None:
    bare, secrets = postgres._without_secrets(make_url(url), "there")
    assert secrets == {"password": "env:PG"}
    assert bare.render_as_string(hide_password=False) == "postgresql://me@h/db"


def test_a_reference_is_read_when_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("one\n")
    assert postgres._read(f"file:{path}", "there", {}) == "one"
    path.write_text("two")
    assert postgres._read(f"file:{path}", "there", {}) == "two"
    assert postgres._read("env:PG", "there", {"PG": "three"}) == "three"


@pytest.mark.parametrize("reference", ["env:PG", "file:/nowhere/password"])
def test_a_reference_to_nothing_says_which(reference: str) -> None:
    with pytest.raises(StateUnusable, match=f"{reference[-8:]}.* of its password|of its password") as refused:
        postgres._read(reference, "there", {})
    assert reference.partition(":")[2] in str(refused.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me@h:5433/db?password=env:PG", "postgresql://h:5433/db"),
        ("postgresql:///db?host=a,b", "postgresql://a,b/db"),
        ("postgresql:///db?host=a:1&host=b:2", "postgresql://a:1,b:2/db"),
        ("postgresql:///db", "postgresql://localhost/db"),
    ],
)
def test_a_place_for_people_has_neither_user_nor_options(url: str, place: str) -> None:
    assert place_of(make_url(url)) == place


def test_another_driver_is_not_taken_for_this_one() -> None:
    with pytest.raises(StateError, match=r"postgresql\+psycopg2 is not a driver .*write postgresql\+psycopg://"):
        open_store("postgresql+psycopg2://me@127.0.0.1/db", "p")
