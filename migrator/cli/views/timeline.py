"""The forecast as a timeline: one row a wave, drawn on a terminal, plain figures elsewhere, and the same in JSON.

Decides glyphs, columns and words. Leaves every date to ``migrator.forecast``. Rule: each part of a row is told by its glyph,
never by its colour alone; a part too short for a cell still has one, so nothing that takes time is invisible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from migrator.cli.views.figures import duration, instant, stamp
from migrator.cli.views.ranges import ranges_document
from migrator.cli.views.screen import Page
from migrator.forecast import Outlook, WaveTimes
from migrator.forecast.timeline import Assumption
from migrator.model.values import value

NARROWEST: Final = 60
"""Columns below which a drawing says nothing; plain figures then."""
LONGEST_NAME: Final = 16
NAMED: Final = 3
"""Of whom the same is supposed, by name; the others are counted."""
_SHORT_SPAN: Final = timedelta(days=2)


@value(frozen=True, slots=True)
class _Glyph:
    plain: str
    drawn: str
    style: str
    word: str


_PAST: Final = _Glyph("#", "█", "green", "done")
_COPY: Final = _Glyph("=", "▓", "cyan", "copy")
_WAIT: Final = _Glyph(".", "·", "yellow", "waits for its window")
_SOAK: Final = _Glyph("-", "░", "blue", "soak")
_DATE: Final = _Glyph("|", "│", "bold", "complete_by")
_LATE: Final = _Glyph("X", "╳", "bold red", "missed")
_LEGEND: Final = (_PAST, _COPY, _WAIT, _SOAK, _DATE, _LATE)
_BLANK: Final = _Glyph(" ", " ", "", "")


def document(outlook: Outlook) -> list[dict[str, Any]]:
    """One entry a wave; moments are RFC 3339, null where they are not known or never come."""
    return [_wave_document(wave, outlook) for wave in outlook.waves]


def _wave_document(wave: WaveTimes, outlook: Outlook) -> dict[str, Any]:
    requests = outlook.requests_of(wave.name)
    return {
        "name": wave.name,
        "begins": _stamp(wave.begins),
        "ready": _stamp(wave.ready),
        "switched": _stamp(wave.switched),
        "soaked": _stamp(wave.soaked),
        "complete_by": _stamp(wave.complete_by),
        "slack_seconds": wave.slack_seconds,
        "is_begun": wave.is_begun,
        "is_done": wave.is_done,
        "is_lower_bound": wave.is_lower_bound,
        "assumes": list(wave.assumes),
        "ranges": ranges_document(outlook, wave.name),
        "requests": {name: round(getattr(requests, name)) for name in ("list", "read", "write", "delete", "other")},
    }


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at.replace(microsecond=0))


def show(page: Page, outlook: Outlook) -> None:
    """The timeline, and what it takes for granted."""
    if page.is_terminal and page.width >= NARROWEST and outlook.waves:
        _draw(page, outlook)
    else:
        _tell(page, outlook)
    if any(wave.is_lower_bound and not wave.is_done for wave in outlook.waves):
        page.line("  from: not earlier; the size of what a wave moves is not known", style="dim")
    supposed: dict[str, list[Assumption]] = {}
    for one in dict.fromkeys(one for wave in outlook.waves for one in wave.assumptions):
        supposed.setdefault(one.what, []).append(one)
    for first, *others in supposed.values():
        page.line(f"  supposed: {first}{_the_same_of([one.who for one in others])}", style="dim")


def _the_same_of(names: Sequence[str]) -> str:
    """A hold of the whole plan is one line, not one for each of its waves."""
    if not names:
        return ""
    more = len(names) - NAMED
    return f"; the same of {', '.join(names[:NAMED])}{f' and {more} more' if more > 0 else ''}"


def _tell(page: Page, outlook: Outlook) -> None:
    page.line("Timeline, if nothing goes wrong")
    page.table(
        ("WAVE", "BEGINS", "COPIED", "SWITCHED", "SOAKED", "COMPLETE BY", "SLACK"),
        [
            (
                wave.name,
                _known(wave, wave.begins, wave.begins if wave.is_begun else None),
                _known(wave, wave.ready),
                _known(wave, wave.switched),
                _known(wave, wave.soaked),
                instant(wave.complete_by),
                slack(wave) or "—",
            )
            for wave in outlook.waves
        ],
    )


def _known(wave: WaveTimes, at: datetime | None, recorded: datetime | None = None) -> str:
    if at is None:
        return "never"
    is_open = wave.is_lower_bound and recorded is None and not wave.is_done
    return ("from " if is_open else "") + instant(at)


def slack(wave: WaveTimes) -> str:
    """``2 d 3 h to spare``, ``5 h late``; empty without a promised date."""
    if wave.slack_seconds is None:
        return ""
    if wave.slack_seconds < 0:
        return f"{duration(-wave.slack_seconds)} late"
    return "in time" if wave.is_done else f"{duration(wave.slack_seconds)} to spare"


# Drawing.


def _draw(page: Page, outlook: Outlook) -> None:
    begin, end = _span(outlook)
    name_width = min(LONGEST_NAME, max(len(wave.name) for wave in outlook.waves))
    dates = [_short(wave, end - begin) for wave in outlook.waves]
    slacks = [slack(wave) for wave in outlook.waves]
    date_width, slack_width = max(map(len, [*dates, "DONE (UTC)"])), max(map(len, slacks))
    cells = page.width - 2 - name_width - 2 - 2 - date_width - (2 + slack_width if slack_width else 0) - 1
    axis = _axis(begin, end, cells, outlook.here.now)
    page.pieces([(f"  {'WAVE'.ljust(name_width)}  {axis}  DONE (UTC)", "dim")])
    for wave, date, spare in zip(outlook.waves, dates, slacks, strict=True):
        row = _row(wave, begin, end, cells, outlook.here.now)
        is_late = (wave.slack_seconds or 0.0) < 0
        page.pieces(
            [
                (f"  {_cut(wave.name, name_width)}  ", ""),
                *_runs(row, is_unicode=page.is_unicode),
                (f"  {date.ljust(date_width)}", ""),
                (f"  {spare}" if spare else "", "bold red" if is_late else "green"),
            ]
        )
    legend = "  ".join(f"{one.drawn if page.is_unicode else one.plain} {one.word}" for one in _used(outlook))
    page.pieces([(f"  {' ' * name_width}  {legend}", "dim")])


def _used(outlook: Outlook) -> Iterable[_Glyph]:
    waves = outlook.waves
    wanted = {
        _PAST: any(wave.is_begun or wave.is_done for wave in waves),
        _COPY: not all(wave.is_done for wave in waves),
        _WAIT: any(move.cut is not None and move.cut > move.ready for wave in waves for move in wave.moves),
        _SOAK: not all(wave.is_done for wave in waves),
        _DATE: any(wave.slack_seconds is not None and wave.slack_seconds >= 0 for wave in waves),
        _LATE: any((wave.slack_seconds or 0.0) < 0 for wave in waves),
    }
    return [one for one in _LEGEND if wanted[one]]


def _span(outlook: Outlook) -> tuple[datetime, datetime]:
    now = outlook.here.now
    moments = [now]
    for wave in outlook.waves:
        moments += [at for at in (wave.begins, wave.soaked, wave.complete_by) if at is not None]
    begin, end = min(moments), max(moments)
    return begin, max(end, begin + timedelta(seconds=1))


def _axis(begin: datetime, end: datetime, cells: int, now: datetime) -> str:
    """The first and the last moment, and ``now`` between them where there is room."""
    left, right = _label(begin, end - begin), _label(end, end - begin)
    line = [*left.ljust(cells - len(right)), *right]
    at = min(cells - 1, _cell(now, begin, end, cells))
    if at > len(left) and at + 4 < cells - len(right):
        line[at : at + 3] = "now"
    return "".join(line)[:cells]


def _label(at: datetime, span: timedelta) -> str:
    at = at.astimezone(UTC)
    return f"{at:%H:%M:%S}" if span < _SHORT_SPAN else f"{at.day} {at:%b}"


def _short(wave: WaveTimes, span: timedelta) -> str:
    if wave.soaked is None:
        return "never"
    at = wave.soaked.astimezone(UTC)
    prefix = "from " if wave.is_lower_bound and not wave.is_done else ""
    return prefix + (f"{at:%H:%M:%S}" if span < _SHORT_SPAN else f"{at.day:2} {at:%b %H:%M}")


def _row(wave: WaveTimes, begin: datetime, end: datetime, cells: int, now: datetime) -> list[_Glyph]:
    """Soak first, then what came before it, so that short parts stay visible; then what is over; the promised date last."""
    row = [_BLANK] * cells

    def paint(glyph: _Glyph, since: datetime | None, until: datetime | None) -> None:
        if since is None or until is None or until <= since:
            return
        first = min(cells - 1, _cell(since, begin, end, cells))
        last = max(first + 1, min(cells, _cell(until, begin, end, cells)))
        row[first:last] = [glyph] * (last - first)

    cut = max((move.cut for move in wave.moves if move.cut is not None), default=None)
    paint(_SOAK, cut, wave.soaked)
    paint(_WAIT, wave.ready, cut)
    paint(_COPY, wave.begins, wave.ready)
    if wave.is_done:
        paint(_PAST, wave.begins, wave.soaked)
    elif wave.is_begun:
        paint(_PAST, wave.begins, now)
    if wave.complete_by is not None:
        is_late = (wave.slack_seconds or 0.0) < 0
        row[min(cells - 1, _cell(wave.complete_by, begin, end, cells))] = _LATE if is_late else _DATE
    return row


def _cell(at: datetime, begin: datetime, end: datetime, cells: int) -> int:
    return int((at - begin) / (end - begin) * cells)


def _runs(row: Sequence[_Glyph], *, is_unicode: bool) -> list[tuple[str, str]]:
    return [(glyph.drawn if is_unicode else glyph.plain, glyph.style) for glyph in row]


def _cut(name: str, width: int) -> str:
    return name.ljust(width) if len(name) <= width else name[: width - 1] + "~"
