"""What an adopted move may take for its own: only what could be read at both sides and is equal."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from migrator.errors import CloudError, NotFound, SourceChanged, Throttled
from migrator.model.moves import Direction
from migrator.model.objects import Listed
from migrator.transfer import adopt
from migrator.transfer.decide import NameCase
from migrator.transfer.evidence import Evidence

TRANSFER: Any = SimpleNamespace(origin=None, destination=None, parallel=4)


async def admitted() -> None: ...


TRANSFER.admit = admitted


def case(name: str) -> NameCase:
    return NameCase(name, Listed(name, "e1", 3), Listed(name, "t1", 3), None, Direction.FORWARD)


def read_as(monkeypatch: pytest.MonkeyPatch, answers: dict[str, bool | CloudError]) -> None:
    """What comparing the contents of each name comes to."""

    async def same(origin: Any, destination: Any, container: str, here: Listed, there: Listed) -> bool:
        answer = answers[here.name]
        if isinstance(answer, CloudError):
            raise answer
        return answer

    monkeypatch.setattr(adopt, "same_content", same)


UNREADABLE = CloudError("cannot read core/keyed", code="BlobUsesCustomerSpecifiedEncryption")


async def test_an_object_that_nobody_can_read_is_nobody_s_and_the_others_are_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_as(monkeypatch, {"equal": True, "keyed": UNREADABLE, "changed": SourceChanged("it changed"), "other": False})
    evidence = Evidence()
    adopted = await adopt.adopt_equal(
        TRANSFER, "web", [case(name) for name in ("keyed", "equal", "changed", "other")], evidence
    )
    assert adopted == 1
    assert evidence.get("equal") is not None
    assert all(evidence.get(name) is None for name in ("keyed", "changed", "other"))


@pytest.mark.parametrize("fault", [UNREADABLE, SourceChanged("it changed"), NotFound("it is gone", what="object")])
async def test_what_cannot_be_compared_is_not_equal(monkeypatch: pytest.MonkeyPatch, fault: CloudError) -> None:
    read_as(monkeypatch, {"n": fault})
    assert not await adopt.is_equal(TRANSFER, "web", case("n"))


async def test_an_account_s_trouble_is_the_account_s(monkeypatch: pytest.MonkeyPatch) -> None:
    read_as(monkeypatch, {"n": Throttled("core is busy")})
    with pytest.raises(Throttled):
        await adopt.is_equal(TRANSFER, "web", case("n"))
