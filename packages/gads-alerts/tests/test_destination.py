"""Deliveries through apprise itself, to a webhook and a mail server; and that no URL shows anywhere."""

from __future__ import annotations

import logging
import sys

import pytest

from gads_alerts.destination import Destination, masked
from gads_alerts.messages import Message, trial_message
from gads_domain.errors import ConfigurationError
from gads_testing.alert_destinations import SECRET, mailbox, webhook

MESSAGE = Message("gads-etl: 1 critical", "critical", ("CRITICAL: campaign is late — Zürich",), "etl-01")


def test_a_webhook_takes_a_message(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook() as hook:
        destination = Destination.open("ops", hook.url)
        assert destination.send(MESSAGE) == ""
        assert destination.send(trial_message("etl-01")) == ""
    first, second = hook.received
    assert (first["title"], first["type"]) == ("gads-etl: 1 critical", "failure")
    assert first["message"] == "CRITICAL: campaign is late — Zürich\netl-01"
    assert second["type"] == "info"
    assert SECRET not in caplog.text, "debug logs of HTTP have the path of the URL"


def test_a_mail_server_takes_a_message() -> None:
    with mailbox() as box:
        assert Destination.open("mail", box.url).send(MESSAGE) == ""
    (mail,) = box.received
    assert mail["subject"] == "gads-etl: 1 critical"
    assert mail["to"] == "oncall@example.com"
    body = mail.get_body()
    assert body is not None
    assert "CRITICAL: campaign is late — Zürich" in body.get_content()


def test_a_refusal_says_why_and_shows_no_url() -> None:
    with webhook() as hook:
        hook.refuses = True
        destination = Destination.open("ops", hook.url)
        failure = destination.send(MESSAGE)
    assert "500" in failure
    assert SECRET not in failure
    unreachable = destination.send(MESSAGE)
    assert unreachable != ""
    assert SECRET not in repr(destination) + unreachable
    assert "127.0.0.1" not in unreachable


@pytest.mark.parametrize("url", ["nonsense://T0KEN-of-mine", "slack://T0KEN-of-mine", "T0KEN-of-mine", ""])
def test_a_url_that_is_not_understood_is_refused_and_not_repeated(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Destination.open("ops", url)
    assert "T0KEN" not in caught.value.message + caught.value.hint + capfd.readouterr().err
    assert "ops" in caught.value.message


def test_without_apprise_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"needs gads-etl\[alerts\]") as caught:
        Destination.open("ops", "json://localhost")
    assert caught.value.hint == "pip install 'gads-etl[alerts]'"


def test_parts_of_a_url_are_masked_in_any_spelling() -> None:
    url = "mailto://me%40example.com:pa%2Fss-word@mail.example.com?to=you@example.com"
    text = "cannot reach mail.example.com as me@example.com with pa/ss-word or pa%2Fss-word for you"
    hidden = masked(text, url)
    assert "example.com" not in hidden
    assert "word" not in hidden
    assert hidden.startswith("cannot reach ****")


def test_a_message_is_cut_to_what_a_service_takes_and_says_how_much_is_left_out() -> None:
    entries = tuple(f"WARNING: entry {number} {'x' * 100}" for number in range(213))
    whole = Message("t", "warning", entries, "etl-01").body()
    assert whole.count("WARNING") == 20
    assert "and 193 more: gads-etl alerts list" in whole
    short = Message("t", "warning", entries, "etl-01").body(limit=450)
    assert len(short) <= 450
    assert "and 210 more: gads-etl alerts list" in short
