"""Lanes to look at, and what was seen of them, as letters (``model.letters``): beside those of ``letters``, and by its rules.

Bytes travel as base64, and what is not as it should be is a ValueError, before anybody acts on it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, get_args

from migrator.adapters.workers.letters import answer_of, batch_of, fields_of, number_of, refusal_fields, refusal_of
from migrator.model.letters import framed
from migrator.model.looks import (
    LaneLooked,
    LaneToLook,
    NameShown,
    RangeLooked,
    RangeToLook,
    RisingOrder,
    Rule,
    SideLooked,
    Sight,
    Text,
)
from migrator.model.moves import Direction
from migrator.model.objects import BlobType, ContentHeaders, Listed
from migrator.ports.executor import BatchAnswer, CopyBatch, LaneAnswer

T = TypeVar("T")
_RULES: Final = frozenset(get_args(Rule))
_ORDERS: Final = frozenset(get_args(RisingOrder))
_TEXTS: Final = ("content_type", "content_encoding", "content_language", "content_disposition", "cache_control")


def read_order(body: bytes) -> tuple[int, CopyBatch | LaneToLook | None]:
    """What a hand is to do, and its number; None: what has that number is to be stopped. ValueError: it is no such letter."""
    fields = fields_of(body)
    return (number_of(fields[0]), read_lane(fields[1])) if len(fields) == 2 else batch_of(fields)


def read_outcome(body: bytes) -> tuple[int, BatchAnswer | LaneAnswer]:
    """What came of an order, and its number. ValueError: it is no such letter."""
    fields = fields_of(body)
    return (number_of(fields[0]), read_looked(fields[1])) if len(fields) == 2 else answer_of(fields)


def lane_letter(number: int, lane: LaneToLook) -> bytes:
    """``number`` is the letter's; the lane has one of its own."""
    ranges = [[_base64(one.upper), _base64(one.records), _sight_fields(one.sight)] for one in lane.ranges]
    spoken_of = [_base64(one) for one in lane.spoken_of]
    places = [lane.origin, lane.destination, lane.direction, lane.container, lane.prefix, lane.order]
    most = [lane.page_size, lane.pages, lane.most_shown, lane.most_names]
    fields = [lane.number, lane.rule, places, _base64(lane.above), ranges, spoken_of, lane.share, most, lane.until]
    return framed([number, fields])


def read_lane(fields: Any) -> LaneToLook:
    """The lane of a letter, by what follows its number. ValueError: it is none."""
    number, rule, places, above, ranges, spoken_of, share, most, until = _listed(fields, 9)
    origin, destination, direction, container, prefix, order = [_text(one) for one in _listed(places, 6)]
    if rule not in _RULES or order not in _ORDERS:
        raise ValueError("a lane has a rule and an order that names can rise in")
    page_size, pages, most_shown, most_names = [_count(one) for one in _listed(most, 4)]
    return LaneToLook(
        _count(number),
        rule,
        origin,
        destination,
        Direction(direction),
        container,
        prefix,
        order,  # type: ignore[arg-type]  # it is one of RisingOrder
        _maybe(_bytes, above),
        tuple([_range_to_look(one) for one in _nonempty(ranges)]),
        tuple([_bytes(one) for one in _listed(spoken_of)]),
        _seconds(share),
        page_size,
        pages,
        most_shown,
        most_names,
        _seconds(until),
    )


def looked_letter(number: int, answer: LaneAnswer) -> bytes:
    looked = answer.looked
    fields = None
    if looked is not None:
        ranges = [_looked_fields(one) for one in looked.ranges]
        fields = [_side_fields(looked.origin), _side_fields(looked.destination), ranges]
    refusal = None if answer.refusal is None else refusal_fields(answer.refusal)
    return framed([number, [answer.number, fields, refusal, answer.answered]])


def read_looked(fields: Any) -> LaneAnswer:
    """The answer of a letter, by what follows its number. ValueError: it is none."""
    number, looked, refusal, answered = _listed(fields, 4)
    pages = [_listed(one, 3) for one in _listed(answered)]
    counts = tuple([(_text(account), _count(minute), _count(pages)) for account, minute, pages in pages])
    return LaneAnswer(_count(number), _maybe(_looked, looked), _maybe(refusal_of, refusal), counts)


def _looked(fields: Any) -> LaneLooked:
    origin, destination, ranges = _listed(fields, 3)
    return LaneLooked(_side(origin), _side(destination), tuple([_range_looked(one) for one in _listed(ranges)]))


def _range_to_look(fields: Any) -> RangeToLook:
    upper, records, sight = _listed(fields, 3)
    return RangeToLook(_maybe(_bytes, upper), _bytes(records), _maybe(_sight, sight))


def _looked_fields(one: RangeLooked) -> list[Any]:
    shown = [[name.name, _blob_fields(name.origin), _blob_fields(name.destination)] for name in one.shown]
    return [one.at_rest, one.on_record, shown, one.unshown, _sight_fields(one.sight)]


def _range_looked(fields: Any) -> RangeLooked:
    at_rest, on_record, shown, unshown, sight = _listed(fields, 5)
    return RangeLooked(
        _count(at_rest),
        _count(on_record),
        tuple([_shown(one) for one in _listed(shown)]),
        tuple([_count(one) for one in _listed(unshown)]),
        _maybe(_sight, sight),
    )


def _shown(fields: Any) -> NameShown:
    name, origin, destination = _listed(fields, 3)
    return NameShown(_text(name), _maybe(_blob, origin), _maybe(_blob, destination))


def _side_fields(side: SideLooked) -> list[Any]:
    return [side.objects, side.size, side.container_missing, _base64(side.begins), _base64(side.ends)]


def _side(fields: Any) -> SideLooked:
    objects, size, is_missing, begins, ends = _listed(fields, 5)
    return SideLooked(_count(objects), _count(size), _truth(is_missing), _maybe(_bytes, begins), _maybe(_bytes, ends))


def _sight_fields(sight: Sight | None) -> list[Any] | None:
    if sight is None:
        return None
    texts = [one for text in (sight.origin, sight.destination) for one in (text.length, _base64(text.digest))]
    counts = [sight.objects, sight.origin_bytes, sight.destination_bytes]
    return [*texts, _base64(sight.evidence), _base64(sight.last), *counts]


def _sight(fields: Any) -> Sight:
    length, digest, other, digest_there, evidence, last, objects, here, there = _listed(fields, 9)
    return Sight(
        Text(_count(length), _bytes(digest)),
        Text(_count(other), _bytes(digest_there)),
        _bytes(evidence),
        _maybe(_bytes, last),
        _count(objects),
        _count(here),
        _count(there),
    )


def _blob_fields(blob: Listed | None) -> list[Any] | None:
    if blob is None:
        return None
    headers = [*(getattr(blob.headers, name) for name in _TEXTS), _base64(blob.headers.md5)]
    changed = None if blob.last_modified is None else blob.last_modified.isoformat()
    marks = [dict(blob.metadata), dict(blob.tags), blob.tier, blob.tier_inferred]
    states = [blob.copy_pending, blob.rehydrating, blob.is_archived, blob.copy_id, blob.copy_failed]
    return [blob.name, blob.etag, blob.size, blob.blob_type, headers, *marks, changed, *states]


def _blob(fields: Any) -> Listed:
    name, etag, size, kind, headers, metadata, tags, tier, is_inferred, changed, *states = _listed(fields, 15)
    *texts, md5 = _listed(headers, len(_TEXTS) + 1)
    is_pending, is_rehydrating, is_archived, copy_id, copy_failed = states
    return Listed(
        _text(name),
        _text(etag),
        _count(size),
        BlobType(_text(kind)),
        _headers(texts, md5),
        _texts(metadata),
        _texts(tags),
        _maybe(_text, tier),
        _truth(is_inferred),
        None if changed is None else datetime.fromisoformat(_text(changed)),
        _truth(is_pending),
        _truth(is_rehydrating),
        _truth(is_archived),
        _maybe(_text, copy_id),
        _text(copy_failed),
    )


def _headers(texts: list[Any], md5: Any) -> ContentHeaders:
    kind, encoding, language, disposition, cache = [_maybe(_text, one) for one in texts]
    return ContentHeaders(kind, encoding, language, disposition, cache, _maybe(_bytes, md5))


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode("ascii")


def _bytes(field: Any) -> bytes:
    return b64decode(_text(field), validate=True)


def _listed(field: Any, length: int | None = None) -> list[Any]:
    if not isinstance(field, list) or (length is not None and len(field) != length):
        raise ValueError("a list of another length is wanted in a letter")
    return field


def _nonempty(field: Any) -> list[Any]:
    if not _listed(field):
        raise ValueError("a lane has a range")
    return _listed(field)


def _text(field: Any) -> str:
    if not isinstance(field, str):
        raise ValueError("text is wanted in a letter")
    return field


def _texts(field: Any) -> Mapping[str, str]:
    if not isinstance(field, dict) or not all(isinstance(one, str) for one in field.values()):
        raise ValueError("texts by name are wanted in a letter")
    return field


def _count(field: Any) -> int:
    if type(field) is not int or field < 0:
        raise ValueError("a count is wanted in a letter")
    return field


def _truth(field: Any) -> bool:
    if type(field) is not bool:
        raise ValueError("true or false is wanted in a letter")
    return field


def _seconds(field: Any) -> float:
    if not isinstance(field, (int, float)) or isinstance(field, bool):
        raise ValueError("a number is wanted in a letter")
    return field


def _maybe(read: Callable[[Any], T], field: Any) -> T | None:
    return None if field is None else read(field)
