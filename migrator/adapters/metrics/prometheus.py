"""Figures from a Prometheus (or anything that answers its HTTP API): one query, one series, a handful of points.

Decides how a window is cut into steps and which answers are no answer. Leaves judgement to the gates. Rules:

1. A query must give exactly one series or none; of several, none is the right one, so they are an error.
2. NaN, an empty result and a step without a value are no points, never zeros.
3. A point is dated by the *begin* of the step that it closes: the query is evaluated at the step's end, and sees nothing
   after the window.
"""

from __future__ import annotations

import asyncio
import json
import math
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

import aiohttp

from migrator.adapters.azure.endpoints import without_query
from migrator.errors import AccessRefused, CloudError, Throttled, Unreachable
from migrator.model.addresses import is_loopback
from migrator.model.samples import Point, Question, Reading

CUTS: Final = 10
"""A window is cut into about so many steps, of one second to one minute."""
MOST_STEPS: Final = 1_000
"""Longer windows get longer steps. Source: Prometheus refuses more than 11,000 points a series."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""An answer to one series of ``MOST_STEPS`` has some 30 KB; far larger ones are many series, or no Prometheus."""
MOST_WARNINGS: Final = 10
MOST_WORDS: Final = 300
"""Characters of the server's own explanation that are passed on."""


class PrometheusSource:
    """A ``MetricSource``; opens its connections at the first question.

    Args:
        url: of the server, with its path prefix if it has one.
        timeout: seconds for one question, connection and answer together.
        ca_file: certificates to trust instead of the system's.
        token: sent as a bearer token; over https or to loopback only. A function is asked before each question, for
            tokens that end sooner than a soak; what it raises goes up.
        mode: "range" evaluates the query at each step of the window, "instant" once, at its end.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        ca_file: str | None = None,
        token: str | Callable[[], Awaitable[str]] | None = None,
        mode: Literal["range", "instant"] = "range",
    ) -> None:
        self._url = url.rstrip("/")
        self._place = f"Prometheus at {without_query(url)}"
        self._timeout = timeout
        self._ca_file = ca_file
        self._token = token
        self._mode = mode
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        """Values of ``question.query`` in [begin, end), ascending.

        Raises:
            CloudError: no query, several series, a query the server refuses, an answer that is none.
            AccessRefused, Throttled, Unreachable: as their names say.
        """
        if question.query is None:
            raise CloudError(
                f"cannot ask {self._place} for {question.metric}: it knows queries only",
                hint="give the gate a query, or another source",
            )
        first, last = begin.timestamp(), end.timestamp()
        step = _step(last - first)
        if self._mode == "instant" or step >= last - first:
            answer = await self._post("query", {"query": question.query, "time": f"{last:.3f}"})
            return self._reading(answer, begin, step=last - first)
        span = {"start": f"{first + step:.3f}", "end": f"{last:.3f}", "step": f"{step:.3f}"}
        answer = await self._post("query_range", {"query": question.query, **span})
        return self._reading(answer, begin, step=step)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, call: str, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The answer's document, whose ``status`` is "success"."""
        session = self._open()
        headers = await self._authority()
        try:
            async with session.post(
                f"{self._url}/api/v1/{call}",
                data={**form, "timeout": f"{max(1, int(self._timeout * 1000))}ms"},
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await self._read(response)
                status, wish = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            raise self._unreachable(failure) from None
        document = _document(body)
        if status == 200 and document.get("status") == "success":
            return document
        raise self._refusal(status, wish, document)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > MOST_BYTES:
                raise CloudError(
                    f"cannot judge the query on {self._place}: its answer has more than {MOST_BYTES:,} bytes",
                    hint="write a query that gives one series",
                )
        return bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._token and not (self._url.startswith("https://") or is_loopback(self._url)):
            raise AccessRefused(
                f"cannot ask {self._place}: a credential is only sent over https", hint="use its https address"
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trust_env=True,
            )
        return self._session

    async def _authority(self) -> Mapping[str, str]:
        if self._token is None:
            return {}
        token = self._token if isinstance(self._token, str) else await self._token()
        return {"Authorization": f"Bearer {token}"}

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as failure:
            raise CloudError(
                f"cannot ask {self._place}: the certificates in {self._ca_file} cannot be read",
                hint="correct ca_file in the plan",
            ) from failure

    def _reading(self, answer: Mapping[str, Any], begin: datetime, *, step: float) -> Reading:
        try:
            kind = str(answer["data"]["resultType"])
            values = self._one_series(kind, answer["data"]["result"])
            points = tuple(_points(values, begin, step))
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError):
            raise CloudError(f"cannot understand the answer of {self._place}") from None
        warnings = answer.get("warnings")
        said = warnings if isinstance(warnings, list) else [warnings] if warnings else []
        return Reading(points, note=_plain("; ".join(_plain(str(one)) for one in said[:MOST_WARNINGS])))

    def _one_series(self, kind: str, result: Any) -> Iterable[Any]:
        """Pairs of time and value, of the one series there may be."""
        if kind == "scalar":
            return [result]
        if kind not in ("vector", "matrix"):
            raise CloudError(
                f"cannot judge the query on {self._place}: it gives a {_plain(kind)}, not numbers",
                hint="write a query that gives one number",
            )
        if len(result) > 1:
            raise CloudError(
                f"cannot judge the query on {self._place}: it gives {len(result)} series and a gate needs one",
                hint="put sum(...), max(...) or the like around it, or name more labels",
            )
        if not result:
            return []
        if "histogram" in result[0] or "histograms" in result[0]:
            raise CloudError(
                f"cannot judge the query on {self._place}: it gives histograms, not numbers",
                hint="put histogram_quantile(...) or the like around it",
            )
        return [result[0]["value"]] if kind == "vector" else list(result[0]["values"])

    def _refusal(self, status: int, wish: str, document: Mapping[str, Any]) -> CloudError:
        code = str(document.get("errorType") or "")
        said = _plain(str(document.get("error") or ""))
        because = f"HTTP {status}{f', {said}' if said else ''}"
        if status in (401, 403):
            return AccessRefused(
                f"cannot ask {self._place}: it refused our credential ({because})",
                hint="check the credential of this source in the plan",
            )
        if status == 429:
            seconds = float(wish) if wish.isdecimal() and len(wish) < 7 else None
            return Throttled(
                f"cannot ask {self._place}: it asks for fewer requests", code=code, retry_after_seconds=seconds
            )
        if status >= 500:
            return Unreachable(f"cannot ask {self._place}: it failed to answer ({because})", code=code)
        if said:
            return CloudError(
                f"cannot ask {self._place}: it refused the query ({said})", hint="correct the gate's query", code=code
            )
        return CloudError(
            f"cannot ask {self._place}: the server at that address is not Prometheus (HTTP {status})",
            hint="check the url of this source in the plan, its path included",
        )

    def _unreachable(self, failure: Exception) -> CloudError:
        if isinstance(failure, aiohttp.InvalidURL):
            return CloudError(f"cannot ask {self._place}: that is not an address", hint="correct its url in the plan")
        return Unreachable(
            f"cannot reach {self._place}: {_why(failure)}",
            hint="check that it runs, its url in the plan, and this machine's network",
        )


def _step(window_seconds: float) -> float:
    step = min(60.0, max(1.0, window_seconds / CUTS))
    return max(step, window_seconds / MOST_STEPS)


def _document(body: bytes) -> Mapping[str, Any]:
    """Empty where the body is not a JSON object."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _points(values: Iterable[Any], begin: datetime, step: float) -> Iterable[Point]:
    """Rules 2 and 3. The server's dates are whole milliseconds, so the first may lie a little before ``begin``."""
    for at, text in values:
        value = float(text)
        if not math.isnan(value):
            yield Point(max(begin, datetime.fromtimestamp(float(at) - step, UTC)), value)


def _plain(text: str) -> str:
    """One line without control characters, cut."""
    return "".join(one if one.isprintable() else " " for one in text)[:MOST_WORDS].strip()


def _why(failure: Exception) -> str:
    if isinstance(failure, (TimeoutError, asyncio.TimeoutError)):
        return "no answer within the time allowed"
    if isinstance(failure, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)):
        return "its certificate or TLS is not accepted"
    if isinstance(failure, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(failure, aiohttp.ClientConnectorError):
        return "nothing listens there"
    return "the connection broke before the answer came"
