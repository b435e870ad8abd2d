"""Channels to real receivers: a web server, a mail server, executables. What was not taken is an error without a secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller

from migrator.adapters.notices import services
from migrator.adapters.notices import webhook as webhooks
from migrator.adapters.notices.command import CommandNotifier
from migrator.adapters.notices.mail import MailNotifier
from migrator.adapters.notices.webhook import WebhookNotifier
from migrator.errors import AccessRefused, CloudError, Unreachable
from migrator.kinds import NOTICES
from migrator.model.notices import Channel, Notice
from migrator.model.values import replace
from migrator.ports.notifier import Notifier
from tests.contract.prometheus_server import free_port, serving

SECRET = "s3cr3t-t0ken"
NOTICE = Notice(
    "abc/18",
    "cut-over-done",
    datetime(2026, 12, 1, 12, 0, tzinfo=UTC),
    "storage-split",
    "na/web: the route names na-web; writers paused 4.4 s",
    wave="first",
    region="na",
    area="web",
    seconds=4.4,
)
PAGER = Channel("pager", "apprise", options={"url": "env:PAGER"})
HALTED = replace(NOTICE, occasion="halted", needs_person=True, text="<b>*stop*</b> [here](http://x) & there")


class Receiver:
    """A web server that keeps what it is sent and answers ``status``."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.bodies: list[Any] = []
        self.keys: list[str | None] = []

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Idempotency-Key"))
        headers = {"Location": "/elsewhere"} if self.status == 302 else {}
        return web.Response(status=self.status, headers=headers)


async def sent(notifier: Notifier, notice: Notice = NOTICE) -> None:
    try:
        await notifier.send(notice)
    finally:
        await notifier.close()


def opened(channel: Channel, **environ: str) -> Notifier:
    return NOTICES[channel.kind].open(channel, environ=environ)


async def test_a_receiver_of_json_gets_the_notice_and_its_id() -> None:
    receiver = Receiver()
    async with serving({"/": receiver.take}) as url:
        await sent(opened(Channel("ops", "webhook", options={"url": "env:OPS"}), OPS=f"{url}/?sig={SECRET}"))
    assert receiver.bodies == [NOTICE.as_json()]
    assert receiver.keys == ["abc/18"]


async def test_slack_gets_a_text_without_control_characters_of_names() -> None:
    receiver = Receiver()
    async with serving({"/": receiver.take}) as url:
        await sent(WebhookNotifier("ops", f"{url}/", "slack"), HALTED)
    assert receiver.bodies == [
        {"text": ":warning: *storage-split: na/web: halted*\n&lt;b&gt;*stop*&lt;/b&gt; [here](http://x) &amp; there"}
    ]


async def test_teams_gets_a_card_in_which_a_name_is_no_link() -> None:
    receiver = Receiver()
    async with serving({"/": receiver.take}) as url:
        await sent(WebhookNotifier("ops", f"{url}/", "teams"), HALTED)
    card = receiver.bodies[0]["attachments"][0]
    assert receiver.bodies[0]["type"] == "message"
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, text = card["content"]["body"]
    assert (title["text"], title["color"]) == ("storage-split: na/web: halted", "Attention")
    assert text["text"] == r"\<b\>\*stop\*\</b\> \[here\]\(http://x\) & there"


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
async def test_what_was_not_taken_is_an_error_that_repeats_no_address(status: int) -> None:
    receiver, elsewhere = Receiver(status), Receiver()
    async with serving({"/": receiver.take, "/elsewhere": elsewhere.take}) as url:
        with pytest.raises(CloudError, match=f"^cannot notify ops: it answered with status {status}") as refused:
            await sent(WebhookNotifier("ops", f"{url}/?sig={SECRET}", "json"))
    assert SECRET not in f"{refused.value!r} {refused.value} {refused.value.__cause__} {refused.value.__context__}"
    assert elsewhere.bodies == [], "a redirect is not followed"


async def test_a_receiver_that_is_away_or_hangs_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match=r"^cannot notify ops: ClientConnectorError$") as refused:
        await sent(WebhookNotifier("ops", f"http://127.0.0.1:{free_port()}/?sig={SECRET}", "json"))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__, "what aiohttp says holds the address"
    monkeypatch.setattr(webhooks, "SECONDS", 0.2)

    async def hang(request: web.Request) -> web.Response:
        import asyncio

        await asyncio.sleep(30)
        return web.Response()

    async with serving({"/": hang}) as url:
        with pytest.raises(Unreachable, match="did not answer within"):
            await sent(WebhookNotifier("ops", f"{url}/", "json"))


@pytest.mark.parametrize(
    "url", ["http://hooks.example.org/x", "ftp://hooks.example.org", "https://", "nonsense", "https://[/"]
)
def test_an_address_that_is_not_safe_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(AccessRefused, match=r"^cannot notify ops: its address is not an https address") as refused:
        WebhookNotifier("ops", f"{url}?sig={SECRET}", "json")
    assert SECRET not in str(refused.value)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(AccessRefused, match=r"the environment variable OPS is not set"):
        opened(Channel("ops", "webhook", options={"url": "env:OPS"}))


# -- an executable --


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    def written(text: str) -> list[str]:
        path = tmp_path / "tell.py"
        path.write_text(f"import json, os, sys, time\n{text}\n")
        return [sys.executable, str(path)]

    return written


async def test_a_command_gets_the_notice_and_a_small_environment(
    script: Callable[[str], list[str]], tmp_path: Path
) -> None:
    argv = script(f"open({str(tmp_path / 'out')!r}, 'w').write(sys.stdin.read() + json.dumps(sorted(os.environ)))")
    environ = {"PATH": "/bin", "PAGER_TOKEN": "t", "STORAGE_KEY": SECRET}
    await sent(opened(Channel("pager", "command", options={"argv": argv, "env": ["PAGER_TOKEN"]}), **environ))
    notice, names = (tmp_path / "out").read_text().splitlines()
    assert json.loads(notice) == NOTICE.as_json()
    assert set(json.loads(names)) - {"LC_CTYPE"} == {"PATH", "PAGER_TOKEN"}


async def test_a_command_that_fails_or_is_not_there_is_an_error(script: Callable[[str], list[str]]) -> None:
    with pytest.raises(CloudError, match=r"^cannot notify pager: it exited with 3"):
        await sent(CommandNotifier("pager", script("sys.exit(3)"), environ={}))
    with pytest.raises(CloudError, match=r"^cannot run the command no-such-program: no such file"):
        await sent(CommandNotifier("pager", ["no-such-program"], environ={}))


@pytest.mark.parametrize(
    "channel",
    [
        Channel("pager", "command", options={"argv": ["true"], "env": ["STORAGE"]}),
        Channel(
            "pager", "email", options={"server": "smtp://m", "sender": "a@b", "to": ["a@b"], "login": "env:STORAGE"}
        ),
        Channel("pager", "apprise", options={"url": "env:STORAGE"}),
    ],
    ids=["command", "email", "apprise"],
)
def test_a_secret_of_a_storage_account_goes_to_no_channel(channel: Channel) -> None:
    key = "A" * 86 + "=="
    with pytest.raises(
        AccessRefused, match=r"^cannot notify pager: the environment variable STORAGE holds a key"
    ) as refused:
        opened(channel, STORAGE=f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={key}")
    assert key not in str(refused.value)


# -- what Apprise speaks to, by its own plugin for JSON --


async def test_apprise_gets_subject_and_text_and_the_urgency(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver()
    async with serving({"/": receiver.take}) as url:
        address = url.replace("http://", f"json://ops:{SECRET}@")
        await sent(opened(PAGER, PAGER=address))
        await sent(opened(PAGER, PAGER=f"{address} {address}"), HALTED)
    done, *halted = receiver.bodies
    assert (done["title"], done["message"], done["type"]) == (NOTICE.subject, NOTICE.text, "info")
    assert [one["type"] for one in halted] == ["warning", "warning"]
    assert halted[0]["message"] == HALTED.text, "a name with markup is text"
    assert SECRET not in caplog.text


async def test_a_service_that_is_away_or_refuses_is_an_error_and_its_address_stands_nowhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver = Receiver(status=500)
    async with serving({"/": receiver.take}) as url:
        for address in (
            url.replace("http://", f"json://ops:{SECRET}@"),
            f"json://ops:{SECRET}@127.0.0.1:{free_port()}",
        ):
            with pytest.raises(Unreachable, match=r"^cannot notify pager: not every service took it$") as refused:
                await sent(opened(PAGER, PAGER=address))
            assert SECRET not in repr(refused.value)
    shown = capfd.readouterr()
    assert SECRET not in caplog.text + shown.out + shown.err
    assert shown.err == ""


@pytest.mark.parametrize("address", ["carrier-pigeon://x", "json://127.0.0.1 nothing://y", "https://"])
def test_an_address_that_apprise_does_not_know_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(
        AccessRefused, match=r"^cannot notify pager: Apprise does not know (this|one of these)"
    ) as refused:
        opened(PAGER, PAGER=address)
    assert address not in str(refused.value)


def test_without_apprise_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AccessRefused, match=r"is not installed; pip") as refused:
        opened(PAGER, PAGER="json://127.0.0.1")
    assert refused.value.hint == "pip install 'migrator[apprise]'"


# -- a mail server --


class Postbox:
    """Keeps what an SMTP server takes."""

    def __init__(self) -> None:
        self.letters: list[Message] = []
        self.receivers: list[list[str]] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: object, session: object, envelope: Any, address: str, options: object
    ) -> str:
        if address.startswith("nobody@"):
            return "550 there is no such box"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
        self.letters.append(message_from_bytes(envelope.content))
        self.receivers.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def postbox() -> Any:
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    box.address = f"smtp://127.0.0.1:{controller.port}"  # type: ignore[attr-defined]
    yield box
    controller.stop()


async def test_a_letter_says_what_happened_and_is_known_again(postbox: Any) -> None:
    options = {"server": postbox.address, "sender": "migrate@example.org", "to": ["a@example.org", "b@example.org"]}
    for _ in range(2):
        await sent(opened(Channel("mail", "email", options=options)))
    letter, again = postbox.letters
    assert letter["Subject"] == "storage-split: na/web: cut-over done"
    assert letter["Message-ID"] == again["Message-ID"] == "<abc.18@migrate.invalid>"
    assert (letter["From"], letter["To"]) == ("migrate@example.org", "a@example.org, b@example.org")
    assert letter.get_payload().strip() == NOTICE.text
    assert postbox.receivers[0] == ["a@example.org", "b@example.org"]


async def test_a_name_cannot_add_a_header(postbox: Any) -> None:
    mail = MailNotifier("mail", postbox.address, sender="m@example.org", receivers=("a@example.org",))
    await sent(mail, replace(NOTICE, area="web\r\nBcc: thief@example.org"))
    assert postbox.letters[0]["Bcc"] is None
    assert postbox.receivers == [["a@example.org"]]


async def test_a_login_is_sent_under_tls_only(postbox: Any) -> None:
    mail = MailNotifier("mail", postbox.address, sender="m@e.org", receivers=("a@e.org",), login=f"ann:{SECRET}")
    with pytest.raises(CloudError, match=r"^cannot notify mail: its server offers no TLS") as refused:
        await sent(mail)
    assert SECRET not in str(refused.value)
    assert postbox.letters == []


async def test_a_server_that_is_away_or_refuses_is_unreachable(postbox: Any) -> None:
    away = MailNotifier("mail", f"smtp://127.0.0.1:{free_port()}", sender="m@e.org", receivers=("a@e.org",))
    with pytest.raises(Unreachable, match=r"^cannot notify mail: ConnectionRefusedError$"):
        await sent(away)
    refused = MailNotifier("mail", postbox.address, sender="m@e.org", receivers=("nobody@e.org",))
    with pytest.raises(Unreachable, match=r"^cannot notify mail: SMTPRecipientsRefused$"):
        await sent(refused)


@pytest.mark.parametrize("server", ["mail.example.org", "http://mail.example.org", "smtp://", "smtp://h:port"])
def test_a_server_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(AccessRefused, match=r"^cannot notify mail: its server is not an address of SMTP"):
        MailNotifier("mail", server, sender="m@e.org", receivers=())
