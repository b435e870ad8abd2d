"""What is wrong with the channels of ``notify``. What a kind's own keys hold is the kind's business."""

from __future__ import annotations

from string import Template
from typing import Final

from migrator.kinds import NOTICES
from migrator.model.notices import FILLED_IN, FOR_CUSTOMERS
from migrator.plan.check_accounts import keys_of_kind, tell
from migrator.plan.compile import channel_of
from migrator.plan.report import Report
from migrator.plan.schema import NotifyPart
from migrator.plan.tree import Path

_FILLED_IN: Final = ", ".join(f"${name}" for name in FILLED_IN)


def check_notify(report: Report) -> None:
    seen: dict[str, int] = {}
    for index, part in enumerate(report.document.notify):
        path, kind, values = ("notify", index), NOTICES[part.kind], part.model_dump()
        keys_of_kind(report, path, part, kind, NOTICES.keys, values, f"channel {index + 1}")
        tell(report, path, part, kind.slips(values))
        _templates(report, path, part)
        if report.is_partial(path) or any(key.is_needed and values[name] is None for name, key in kind.keys.items()):
            continue
        name = channel_of(part).name
        if (first := seen.setdefault(name, index)) != index:
            report.fault(path, f"this is the same channel as number {first + 1}: name it once", at_key=True)


def _templates(report: Report, path: Path, part: NotifyPart) -> None:
    for occasion, text in part.templates.items():
        names = Template(text)
        if not names.is_valid() or set(names.get_identifiers()) - set(FILLED_IN):
            known = f"there are {_FILLED_IN}, and $$ for a dollar"
            report.fault((*path, "templates", occasion), f"something in it stands for nothing: {known}")
    if part.audience != "customers":
        return
    for occasion in (*part.occasions, *part.templates):
        if occasion not in FOR_CUSTOMERS:
            report.fault((*path, "audience"), f"customers are not told of {occasion}: leave it out")
            return
