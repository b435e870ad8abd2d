"""A chart as SVG text, by Vega-Lite.

Decides how every chart of the page looks: its fonts, its grid, and that its colours are names of the page's style sheet, so that
light and dark are decided where the rest of the page's colours are. Rule: nothing in the text refers to anything outside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import vl_convert
from markupsafe import Markup

VEGA_LITE: Final = "5.20"
_CONFIG: Final[Mapping[str, Any]] = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
    "legend": {"labelColor": "var(--text)", "titleColor": "var(--muted)", "orient": "top", "labelFontSize": 11, "offset": 20},
    "text": {"color": "var(--text)", "fontSize": 11},
}  # fmt: skip
_ROLES: Final = re.compile(r' (?:role|aria-[a-z]+|xmlns:xlink)="[^"]*"')
_CLIPS: Final = re.compile(r'<defs>.*?</defs>| clip-path="[^"]*"', re.DOTALL)
"""Nothing here is drawn beyond its axes, and their ids would have to differ from those of every other chart of a page."""
_OPENING: Final = re.compile(r"<svg [^>]*>")
_SIZE: Final = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


def draw(spec: Mapping[str, Any]) -> Markup:
    """The chart of a Vega-Lite ``spec`` without configuration, to be put into a page as it is.

    Its own roles and labels are taken out: what it shows is said by the figure that holds it, once, and a table has its data.
    """
    return Markup(_drawn(json.dumps({**spec, "config": _CONFIG}, sort_keys=True)))  # noqa: S704 - Vega escapes texts


@lru_cache(maxsize=512)
def _drawn(spec: str) -> str:
    text = _CLIPS.sub("", _ROLES.sub("", vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)))
    opening = _OPENING.search(text)
    size = _SIZE.search(text)
    if opening is None or size is None:
        raise ValueError("the drawing has no size")
    width, height = size.groups()
    head = f'<svg class="chart" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
    return head + text[opening.end() :]
