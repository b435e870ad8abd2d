"""Sources of figures outside the house: a real Prometheus, wire faults from a local server, real executables."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiohttp import web

from migrator.adapters.metrics.command import CommandSource
from migrator.adapters.metrics.prometheus import PrometheusSource
from migrator.errors import AccessRefused, CloudError, Throttled, Unreachable
from migrator.gates.judge import could_not_ask, judge
from migrator.model.names import MoveId
from migrator.model.samples import Point, Question, Reading, Verdict
from migrator.model.schedule import Gate
from migrator.ports.metric_source import MetricSource
from tests.contract.prometheus_server import BINARY, Application, prometheus, serving

MOVE = MoveId("north-america", "web-tracking")
BEGIN = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
END = BEGIN + timedelta(minutes=10)


def question(query: str | None, metric: str | None = None) -> Question:
    return Question(MOVE, "na-web", metric, query)


async def ask(source: MetricSource, query: str | None = "q", *, metric: str | None = None) -> Reading:
    """One question about ten minutes."""
    try:
        return await source.ask(question(query, metric), begin=BEGIN, end=END)
    finally:
        await source.close()


# -- a real Prometheus --


@pytest.mark.system
@pytest.mark.skipif(BINARY is None and os.environ.get("CI") != "true", reason="needs the package prometheus")
class TestRealPrometheus:
    gate = Gate("app-errors", "prom", "inconclusive", query="max(app_error_ratio)", max=0.1, window_seconds=3)

    async def verdict(self, source: PrometheusSource, gate: Gate, seconds: float = 3.0) -> Verdict:
        end = datetime.now(UTC)
        begin = end - timedelta(seconds=seconds)
        try:
            reading = await source.ask(question(gate.query), begin=begin, end=end)
        except CloudError as error:
            return could_not_ask(error).verdict
        judged = judge(gate, reading, baseline=None, own_requests=None, begin=begin, end=end, now=end)
        return judged.verdict

    async def test_a_gate_follows_the_application_and_errs_when_prometheus_is_gone(self, tmp_path: Path) -> None:
        """Healthy, degraded, healthy again, silent, then without Prometheus."""
        application = Application()
        application.lines = ['app_error_ratio{app="a"} 0.01']
        async with prometheus(tmp_path, application) as server:
            source = PrometheusSource(server.url, timeout=10)
            try:
                await application.scraped(2)
                assert await self.verdict(source, self.gate, 1.0) is Verdict.PASSED
                application.lines = ['app_error_ratio{app="a"} 0.9']
                await application.scraped(2)
                assert await self.verdict(source, self.gate, 1.0) is Verdict.FAILED
                application.lines = ['app_error_ratio{app="a"} 0.01']
                await application.scraped(2)
                assert await self.verdict(source, self.gate, 1.0) is Verdict.PASSED
                application.lines = []
                await application.scraped(2)
                assert await self.verdict(source, self.gate, 1.0) is Verdict.INCONCLUSIVE
                await server.stop()
                assert await self.verdict(source, self.gate) is Verdict.ERRORED
            finally:
                await source.close()

    async def test_what_a_real_server_answers_to_other_queries(self, tmp_path: Path) -> None:
        application = Application()
        application.lines = ['load{app="a"} 1', 'load{app="b"} 2', "hole NaN", "endless +Inf"]
        async with prometheus(tmp_path, application) as server:
            source, instant = PrometheusSource(server.url), PrometheusSource(server.url, mode="instant")
            await application.scraped(5)
            end = datetime.now(UTC)
            span = {"begin": end - timedelta(seconds=2), "end": end}

            async def values(source: PrometheusSource, query: str) -> set[float]:
                reading = await source.ask(question(query), **span)
                assert all(span["begin"] <= one.at < span["end"] for one in reading.points)
                return {one.value for one in reading.points}

            try:
                for one in (source, instant):
                    assert await values(one, "sum(load)") == {3.0}
                    assert await values(one, 'load{app="b"}') == {2.0}
                    assert await values(one, "hole") == set()
                    assert await values(one, "endless") == {float("inf")}
                    assert await values(one, "no_such_metric") == set()
                    assert await values(one, "scalar(sum(load))") == {3.0}
                    with pytest.raises(CloudError, match="it gives 2 series and a gate needs one"):
                        await values(one, "load")
                    with pytest.raises(CloudError, match=r"it refused the query .*parse error"):
                        await values(one, "sum(load")
                with pytest.raises(CloudError, match="it gives a string, not numbers"):
                    await values(instant, '"words"')
            finally:
                await source.close()
                await instant.close()


# -- what else may answer there --


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answers(status: int = 200, body: object = None, text: str | None = None, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        said = json.dumps(body) if text is None else text
        return web.Response(status=status, text=said, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return handler


def matrix(*values: tuple[float, str], **more: Any) -> dict[str, Any]:
    result = [{"metric": {}, "values": [list(one) for one in values]}] if values else []
    return {"status": "success", "data": {"resultType": "matrix", "result": result}, **more}


async def ask_answering(handler: Handler, **options: Any) -> Reading:
    async with serving({"/prefix/api/v1/query_range": handler, "/prefix/api/v1/query": handler}) as url:
        return await ask(PrometheusSource(f"{url}/prefix/", **options))


async def test_a_window_is_asked_in_steps_that_see_nothing_before_or_after_it() -> None:
    """Ten minutes: ten steps. The value at a step's end is dated by its begin, so the window holds them all."""
    seen: dict[str, str] = {}

    async def handler(request: web.Request) -> web.Response:
        seen.update({key: str(value) for key, value in (await request.post()).items()})
        first, last, step = (float(seen[key]) for key in ("start", "end", "step"))
        times = [first + step * number for number in range(int((last - first) / step) + 1)]
        return web.json_response(matrix(*((at, str(number)) for number, at in enumerate(times))))

    reading = await ask_answering(handler, timeout=7)
    assert (float(seen["start"]), float(seen["end"])) == (BEGIN.timestamp() + 60, END.timestamp())
    assert seen["timeout"] == "7000ms"
    assert [one.at for one in reading.points] == [BEGIN + timedelta(minutes=number) for number in range(10)]
    assert [one.value for one in reading.points] == list(range(10))


async def test_a_long_window_is_asked_in_longer_steps() -> None:
    """A week in minutes would be 10,080 points; the server refuses 11,000."""
    steps: list[float] = []

    async def handler(request: web.Request) -> web.Response:
        steps.append(float(str((await request.post())["step"])))
        return web.json_response(matrix())

    async with serving({"/api/v1/query_range": handler}) as url:
        source = PrometheusSource(url)
        for window in (timedelta(seconds=5), timedelta(minutes=5), timedelta(days=7)):
            await source.ask(question("q"), begin=BEGIN, end=BEGIN + window)
        await source.close()
    assert steps == [1, 30, 604.8]


async def test_missing_steps_and_nan_are_no_points() -> None:
    at = BEGIN.timestamp() + 60
    reading = await ask_answering(answers(body=matrix((at, "1"), (at + 60, "NaN"), (at + 300, "0"))))
    assert reading.points == (Point(BEGIN, 1.0), Point(BEGIN + timedelta(minutes=5), 0.0))
    assert (await ask_answering(answers(body=matrix()))).points == ()


async def test_dates_cut_to_milliseconds_stay_in_the_window() -> None:
    begin = BEGIN + timedelta(microseconds=123_456)

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(matrix((float(str((await request.post())["start"])), "1")))

    async with serving({"/api/v1/query_range": handler}) as url:
        source = PrometheusSource(url)
        reading = await source.ask(question("q"), begin=begin, end=begin + timedelta(minutes=10))
        await source.close()
    assert [one.at for one in reading.points] == [begin]


async def test_warnings_are_noted() -> None:
    reading = await ask_answering(answers(body=matrix(warnings=["partial\nanswer"])))
    assert reading.note == "partial answer"


FAULTS = [
    (answers(400, {"status": "error", "errorType": "bad_data", "error": "parse error"}), CloudError, "parse error"),
    (answers(422, {"status": "error", "errorType": "execution", "error": "too many"}), CloudError, "too many"),
    (answers(200, {"status": "error", "error": "odd"}), CloudError, "odd"),
    (answers(401, text="who?"), AccessRefused, "refused our credential"),
    (answers(403, text="no"), AccessRefused, "refused our credential"),
    (answers(404, text="not here"), CloudError, "is not Prometheus .HTTP 404"),
    (answers(302, text="", Location="https://elsewhere.example"), CloudError, "is not Prometheus .HTTP 302"),
    (answers(200, text="<html>welcome</html>"), CloudError, "is not Prometheus .HTTP 200"),
    (answers(200, text="[]"), CloudError, "is not Prometheus"),
    (answers(200, text="[" * 100_000), CloudError, "is not Prometheus"),
    (answers(429, text="slower", Retry_After="17"), Throttled, "fewer requests"),
    (answers(503, {"status": "error", "errorType": "timeout", "error": "timed out"}), Unreachable, "timed out"),
    (answers(500, text="oops"), Unreachable, "HTTP 500"),
    (answers(200, {"status": "success"}), CloudError, "cannot understand"),
    (answers(200, {"status": "success", "data": {"resultType": "matrix", "result": 5}}), CloudError, "cannot underst"),
    (answers(200, matrix((1.0, "many"))), CloudError, "cannot understand"),
    (answers(200, {"status": "success", "data": {"resultType": "string", "result": [1, "a"]}}), CloudError, "a string"),
    (
        answers(200, {"status": "success", "data": {"resultType": "matrix", "result": [{"histograms": []}]}}),
        CloudError,
        "histograms",
    ),
    (answers(200, text="x" * (5 * 1024 * 1024)), CloudError, "more than 4,194,304 bytes"),
]


@pytest.mark.parametrize(("handler", "kind", "words"), FAULTS, ids=[f"{one[2]}-{n}" for n, one in enumerate(FAULTS)])
async def test_every_other_answer_is_an_error_that_says_so(handler: Handler, kind: type, words: str) -> None:
    with pytest.raises(CloudError, match=words) as raised:
        await ask_answering(handler)
    assert type(raised.value) is kind


async def test_the_wish_of_a_busy_server_is_kept() -> None:
    with pytest.raises(Throttled) as raised:
        await ask_answering(answers(429, text="", Retry_After="17"))
    assert raised.value.retry_after_seconds == 17


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    with pytest.raises(Unreachable, match="no answer within the time allowed"):
        await ask_answering(handler, timeout=0.2)


async def test_a_connection_that_breaks_is_no_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"status": "success"')
        assert request.transport is not None
        request.transport.close()
        return response

    with pytest.raises(Unreachable, match="broke before the answer came"):
        await ask_answering(handler)


async def test_nobody_there() -> None:
    async with serving({}) as url:
        pass
    with pytest.raises(Unreachable, match="nothing listens there"):
        await ask(PrometheusSource(url))


async def test_the_token_is_sent_and_never_said() -> None:
    seen: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=401)

    with pytest.raises(AccessRefused) as raised:
        await ask_answering(handler, token="geheim-token")
    assert seen == ["Bearer geheim-token"]
    assert "geheim" not in str(raised.value)
    with pytest.raises(AccessRefused, match="only sent over https"):
        await ask(PrometheusSource("http://metrics.example:9090", token="geheim-token"))


async def test_an_address_with_a_password_is_not_said() -> None:
    async with serving({}) as url:
        pass
    with pytest.raises(Unreachable) as raised:
        await ask(PrometheusSource(url.replace("http://", "http://me:geheim@")))
    assert "geheim" not in str(raised.value)


async def test_prometheus_takes_no_metric() -> None:
    with pytest.raises(CloudError, match="it knows queries only"):
        await ask(PrometheusSource("http://127.0.0.1:9"), None, metric="requests_per_minute")


async def test_certificates_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="cannot be read"):
        await ask(PrometheusSource("https://127.0.0.1:9", ca_file=str(tmp_path / "none.pem")))


# -- executables --


def script(folder: Path, text: str) -> list[str]:
    path = folder / "figures.py"
    path.write_text(f"import json, os, signal, subprocess, sys, time\n{text}\n")
    return [sys.executable, str(path)]


async def test_an_executable_gets_the_question_and_prints_points(tmp_path: Path) -> None:
    argv = script(
        tmp_path,
        """
asked = json.load(sys.stdin)
json.dump(asked, open(sys.argv[1], "w"))
print(json.dumps({"at": asked["begin"], "value": 2, "volume": 10}))
print()
print(json.dumps({"at": 1796126520, "value": 0.5}))
print(json.dumps({"at": "2026-12-01T13:01:00+01:00", "value": None}))
print(json.dumps({"at": asked["end"], "value": 9}))
""",
    )
    reading = await ask(CommandSource([*argv, str(tmp_path / "asked")]), 'errors{a="$(id)"}')
    assert reading.points == (Point(BEGIN, 2.0, 10.0), Point(BEGIN + timedelta(minutes=2), 0.5))
    assert json.loads((tmp_path / "asked").read_text()) == {
        "query": 'errors{a="$(id)"}',
        "account": "na-web",
        "region": "north-america",
        "area": "web-tracking",
        "begin": "2026-12-01T12:00:00Z",
        "end": "2026-12-01T12:10:00Z",
    }


async def test_an_executable_that_does_not_read_its_question_is_fine(tmp_path: Path) -> None:
    argv = script(tmp_path, 'os.close(0); print(\'{"at": "2026-12-01T12:00:00Z", "value": 1}\')')
    assert len((await ask(CommandSource(argv), "x" * 1_000_000)).points) == 1


async def test_nothing_printed_is_no_points(tmp_path: Path) -> None:
    assert await ask(CommandSource(script(tmp_path, ""))) == Reading(())


class Late(CommandSource):
    """This process is held up: the command has ended before it is written to."""

    async def _start(self) -> asyncio.subprocess.Process:
        process = await super()._start()
        await process.wait()
        await asyncio.sleep(0.05)
        return process


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_command_that_has_ended_before_it_was_asked_has_answered(
    tmp_path: Path, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    source = Late(script(tmp_path, """print('{"at": "2026-12-01T12:00:00Z", "value": 1}')"""))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert [one.value for one in runner.run(ask(source)).points] == [1.0]


async def test_a_figure_without_a_date_is_of_the_window_and_its_end_is_inside_where_it_is_all(tmp_path: Path) -> None:
    plain = await ask(CommandSource(script(tmp_path, "print('{\"value\": 0.2}')")))
    assert plain == Reading((Point(BEGIN, 0.2),))
    at_end = await ask(CommandSource(script(tmp_path, 'print(\'{"at": "2026-12-01T12:10:00Z", "value": 0.2}\')')))
    assert [one.value for one in at_end.points] == [0.2]
    assert all(BEGIN <= one.at < END for one in at_end.points)


async def test_values_outside_the_window_are_said_with_both_times(tmp_path: Path) -> None:
    late = await ask(CommandSource(script(tmp_path, 'print(\'{"at": "2026-12-01T12:10:02Z", "value": 0.2}\')')))
    assert late == Reading((), note="1 value, at 12:10:02, outside 12:00:00 to 12:10:00")


LINES = [
    "5",
    "[]",
    '"at"',
    "not json",
    '{"at": "2026-12-01T12:00:00Z"}',
    '{"at": "2026-12-01T12:00:00", "value": 1}',
    '{"at": "yesterday", "value": 1}',
    '{"at": true, "value": 1}',
    '{"at": 1e300, "value": 1}',
    '{"at": "2026-12-01T12:00:00Z", "value": "1"}',
    '{"at": "2026-12-01T12:00:00Z", "value": true}',
    '{"at": "2026-12-01T12:00:00Z", "value": 1, "volume": -1}',
    '{"at": "2026-12-01T12:00:00Z", "value": 1, "volume": NaN}',
    '{"at": "2026-12-01T12:00:00Z", "value": 1, "volum": 1}',
    '{"at": {}, "value": 1}',
]


@pytest.mark.parametrize("line", LINES)
async def test_one_wrong_line_makes_the_answer_wrong(tmp_path: Path, line: str) -> None:
    """And names itself; what it says is not repeated, for it may be anything."""
    path = tmp_path / "lines"
    path.write_text('{"at": "2026-12-01T12:00:00Z", "value": 1}\n' + line + "\n")
    with pytest.raises(
        CloudError, match=r"cannot understand line 2 that the command cat printed: wanted .*value"
    ) as raised:
        await ask(CommandSource(["cat", str(path)]))
    assert 'volum"' not in raised.value.message


async def test_a_failure_is_an_error_whatever_was_printed(tmp_path: Path) -> None:
    good = 'print(\'{"at": "2026-12-01T12:00:00Z", "value": 1}\', flush=True);'
    with pytest.raises(CloudError, match="it exited with 3") as raised:
        await ask(CommandSource(script(tmp_path, f"{good} print('geheim', file=sys.stderr); sys.exit(3)")))
    assert "geheim" not in str(raised.value)
    with pytest.raises(CloudError, match="it was killed by signal 9"):
        await ask(CommandSource(script(tmp_path, f"{good} os.kill(os.getpid(), signal.SIGKILL)")))


async def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("not meant to be run")
    for argv, words in [
        (["/no/such/figures"], "cannot run the command figures: no such file"),
        ([str(tmp_path / "figures")], "cannot run the command figures: permission denied"),
        (["a\0b"], "not a command"),
    ]:
        with pytest.raises(CloudError, match=words):
            await ask(CommandSource(argv))


def is_alive(pid: int) -> bool:
    """Zombies whose parent has not looked are not alive."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while is_alive(pid):  # noqa: ASYNC110 - another process knows no events of ours
            await asyncio.sleep(0.02)


STARTS_ANOTHER = """
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
open(sys.argv[1] + ".part", "w").write(str(child.pid))
os.rename(sys.argv[1] + ".part", sys.argv[1])
"""


@pytest.mark.parametrize("then", ["time.sleep(300)", ""], ids=["both go on", "only its child goes on"])
async def test_what_takes_too_long_is_killed_with_all_that_it_started(tmp_path: Path, then: str) -> None:
    argv = script(tmp_path, STARTS_ANOTHER + then)
    with pytest.raises(CloudError, match="it did not end within 2 s"):
        await ask(CommandSource([*argv, str(tmp_path / "pid")], timeout=2))
    await gone(int((tmp_path / "pid").read_text()))


async def test_what_says_too_much_is_killed(tmp_path: Path) -> None:
    argv = script(tmp_path, f"{STARTS_ANOTHER}\nwhile True: sys.stdout.write('x' * 65536)")
    with pytest.raises(CloudError, match="more than 1,048,576 bytes"):
        await ask(CommandSource([*argv, str(tmp_path / "pid")]))
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_question_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    argv = script(tmp_path, f"{STARTS_ANOTHER}\ntime.sleep(300)")
    asking = asyncio.create_task(ask(CommandSource([*argv, str(tmp_path / "pid")])))
    async with asyncio.timeout(20):
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process knows no events of ours
            await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await gone(int((tmp_path / "pid").read_text()))
