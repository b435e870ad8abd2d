"""A small valid plan, and how tests change it and find places in it."""

from __future__ import annotations

import pytest

from migrator.errors import PlanError
from migrator.plan import loads

SMALL = """\
version: 1
name: small
accounts:
  na-core: {kind: local, path: state/na-core.db}
  na-web: {kind: local, path: state/na-web.db}
  na-email: {kind: local, path: state/na-email.db}
  eu-core: {endpoint: https://eucore.blob.core.windows.net}
  eu-web:
    endpoint: https://euweb.blob.core.windows.net
    credential: env:EU_WEB
areas:
  web: {containers: [web-*]}
  email: {containers: [{name: events, prefix: email/}]}
regions:
  america:
    source: na-core
    targets: {web: na-web, email: na-email}
    traffic: {web: 2M}
  europe:
    source: eu-core
    targets: {web: eu-web}
routing: {kind: file, path: state/routes.json}
metrics:
  counters: {kind: local}
gates:
  calm: {source: counters, metric: throttled_ratio, max: 0.001, on_no_data: pass, min_samples: 0}
waves:
  - name: first
    moves: [{region: america, areas: [web]}]
    soak: 96h
    gates: [calm]
  - name: second
    moves:
      - region: america
        areas: [email]
    soak: 1h
    gates: [calm]
  - name: third
    moves: [{region: europe, areas: [web]}]
    soak: 0s
"""


def changed(*changes: tuple[str, str]) -> str:
    """``SMALL`` with each first text, which must be there exactly once, in place of the second."""
    text = SMALL
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def place(text: str, needle: str) -> str:
    """``plan.yaml:line:column`` of the first ``needle``."""
    at = text.index(needle)
    line = text.count("\n", 0, at) + 1
    return f"plan.yaml:{line}:{at - (text.rfind(chr(10), 0, at) + 1) + 1}"


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(PlanError) as caught:
        loads(text, "plan.yaml")
    return caught.value.faults


def warnings_of(text: str) -> tuple[str, ...]:
    return loads(text, "plan.yaml").warnings


def faults_at(old: str, new: str, at: str) -> list[str]:
    """The faults of the small plan with ``new`` in place of ``old``, of those that stand at ``at``."""
    text = changed((old, new))
    where = place(text, at)
    return [fault for fault in faults_of(text) if fault.startswith(f"{where}: ")]
