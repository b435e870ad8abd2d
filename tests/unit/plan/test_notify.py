"""Who a plan wants to be told: keys by kind, no secret in the document, and texts that can be filled in."""

from __future__ import annotations

import pytest

from migrator.errors import PlanError
from migrator.model.notices import OCCASIONS
from migrator.plan import loads
from tests.cli.conftest import PLAN


def faults(notify: str) -> list[str]:
    with pytest.raises(PlanError) as refused:
        loads(f"{PLAN}notify: {notify}\n", "p.yaml")
    return [one.message for one in refused.value.faults]


def channels(notify: str) -> tuple[object, ...]:
    return loads(f"{PLAN}notify: {notify}\n", "p.yaml").schedule.channels


def test_channels_are_named_by_where_they_go_and_not_by_their_place() -> None:
    slack = '{kind: webhook, format: slack, url: "env:OPS"}'
    page = '{kind: webhook, url: "env:PAGE", audience: customers, occasions: [cut-over-done]}'
    first, second = channels(f"[{slack}, {page}]")
    assert channels(f"[{page}, {slack}]") == (second, first)
    assert first.name == "slack webhook env:OPS"  # type: ignore[attr-defined]
    assert first.occasions == frozenset(OCCASIONS)  # type: ignore[attr-defined]
    assert second.name == "json webhook env:PAGE, for customers"  # type: ignore[attr-defined]
    assert second.occasions == {"cut-over-done"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("[{kind: webhook}]", "channel 1 lacks the key url, which kind webhook needs"),
        ('[{kind: command, url: "env:X", argv: [x]}]', "the key url is not one of kind command"),
        ('[{kind: webhook, url: "https://hooks.example.org/T0/secret"}]', "the address of a webhook is a secret"),
        ("[{kind: email, server: mail, sender: a@b, to: [a@b]}]", "this is not a server of SMTP"),
        ('[{kind: email, server: "smtp://m", sender: "a b", to: [a@b]}]', "this is not an e-mail address"),
        ('[{kind: email, server: "smtp://m", sender: a@b, to: ["a@b, c@d"]}]', "not all of these are e-mail addresses"),
        (
            '[{kind: email, server: "smtp://m", sender: a@b, to: [a@b], login: "http://127.0.0.1"}]',
            "a login is a secret",
        ),
        ('[{kind: webhook, url: "env:X"}, {kind: webhook, url: "env:X"}]', "this is the same channel as number 1"),
        (
            '[{kind: webhook, url: "env:X", templates: {halted: "$account stopped"}}]',
            "stands for nothing: there are $plan",
        ),
        ('[{kind: webhook, url: "env:X", templates: {halted: "5 $"}}]', "stands for nothing"),
        (
            '[{kind: webhook, url: "env:X", audience: customers, occasions: [halted]}]',
            "customers are not told of halted: leave it out",
        ),
        ('[{kind: webhook, url: "env:X", occasions: [stopped]}]', "one of wave-started, approval-needed"),
        ("[{kind: pigeon}]", "one of webhook, command, email"),
    ],
)
def test_what_a_channel_cannot_be_is_said(notify: str, said: str) -> None:
    assert any(said in one for one in faults(notify)), faults(notify)


def test_a_template_may_name_what_there_is_and_a_dollar() -> None:
    text = "$plan $wave $region ${area} $seconds $text $$"
    (channel,) = channels(f'[{{kind: webhook, url: "env:X", templates: {{halted: "{text}"}}}}]')
    assert channel.templates == {"halted": text}  # type: ignore[attr-defined]
