"""A check that says what it never declared: to an operator it is told like any finding, here it fails the test it was said in.

A pytest plugin, loaded by ``tests/conftest.py``. It hears every check that runs in this process, whoever runs it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from migrator.engine.checks.check import UNDECLARED


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


_LISTENER = _Listener()


def pytest_configure() -> None:
    UNDECLARED.setLevel(logging.INFO)
    if _LISTENER not in UNDECLARED.handlers:
        UNDECLARED.addHandler(_LISTENER)


@pytest.fixture(autouse=True)
def undeclared() -> Iterator[list[str]]:
    """What was heard; a test that means it takes it out. What longer lived fixtures say before the test counts as well."""
    yield _LISTENER.heard
    heard = list(_LISTENER.heard)
    _LISTENER.heard.clear()
    if heard:
        pytest.fail("; ".join(sorted(set(heard))), pytrace=False)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _LISTENER.heard:  # said after the last test, by whatever outlived it
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
