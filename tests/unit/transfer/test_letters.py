"""What is no letter is a ValueError, whatever it is; what is one comes back as it was."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.adapters.workers.lane_letters import read_order, read_outcome
from migrator.adapters.workers.letters import answer_letter, batch_letter, stop_letter
from migrator.model.letters import LENGTH_BYTES
from migrator.ports.executor import BatchAnswer, CopyBatch, CopyUnit, Refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda part: st.lists(part, max_size=7) | st.dictionaries(st.text(), part, max_size=4),
    max_leaves=20,
)
BATCH = CopyBatch("a", "b", "c", (CopyUnit("n\ud800", "e"), CopyUnit("m", "e", "f", {"k": "v"}, "Cool")), 5.5)
ANSWER = BatchAnswer(("etag", Refusal("throttled", "said", retry_after_seconds=3.0, is_origin=True)), {7: 1})


def test_letters_come_back_as_they_were() -> None:
    assert read_order(batch_letter(3, BATCH)[LENGTH_BYTES:]) == (3, BATCH)
    assert read_order(stop_letter(3)[LENGTH_BYTES:]) == (3, None)
    assert read_outcome(answer_letter(3, ANSWER)[LENGTH_BYTES:]) == (3, ANSWER)


def _changed(letter: Any, at: int, part: Any) -> Any:
    """One part of a true letter in place of another, wherever it lies."""
    if isinstance(letter, list) and letter:
        place = at % len(letter)
        inner = _changed(letter[place], at // len(letter), part) if at % 3 else part
        return [*letter[:place], inner, *letter[place + 1 :]]
    return part


TRUE = [json.loads(one[LENGTH_BYTES:]) for one in (batch_letter(3, BATCH), stop_letter(3), answer_letter(3, ANSWER))]


@given(st.one_of(JSON, st.builds(_changed, st.sampled_from(TRUE), st.integers(0, 10**6), JSON)))
def test_whatever_else_comes_is_a_value_error(content: Any) -> None:
    body = json.dumps(content).encode()
    for read in (read_order, read_outcome):
        with contextlib.suppress(ValueError):
            read(body)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"null", b"5", b"{}", b"[[]]", b"\xff", b"[1,2,3,4,5,6]"])
def test_broken_letters(body: bytes) -> None:
    for read in (read_order, read_outcome):
        with pytest.raises(ValueError, match=r".*"):
            read(body)
