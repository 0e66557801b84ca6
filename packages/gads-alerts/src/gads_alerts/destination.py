"""Where alerts go: an apprise URL, which is a secret and is shown nowhere."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from gads_domain.errors import ConfigurationError

if TYPE_CHECKING:
    from gads_alerts.messages import Message

LONGEST_DELIVERY = 60.0
"""Seconds after which a delivery is given up."""

_PARTS = re.compile(r"[/:@?&=#,;]+")
_SHORTEST_SECRET = 4
"""Characters of a part of a URL that is masked; what is shorter is a word such as `to` or a port."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination by its `name`; open it with `Destination.open`. Its URL is in no representation and no error."""

    name: str
    _url: str = field(repr=False)
    _service: Any = field(repr=False, compare=False)

    @classmethod
    def open(cls, name: str, url: str) -> Destination:
        """Raises `ConfigurationError` if apprise is not installed or does not understand `url`; connects nowhere."""
        try:
            from apprise import Apprise, AppriseAsset  # an extra
        except ModuleNotFoundError:
            raise ConfigurationError(
                "[[alerts]] needs gads-etl[alerts]", hint="pip install 'gads-etl[alerts]'"
            ) from None
        _keep_urls_out_of_logs()
        asset = AppriseAsset(app_id="gads-etl", app_desc="gads-etl", async_mode=False, secure_logging=True)
        service = Apprise.instantiate(url, asset=asset)
        if service is None:
            raise ConfigurationError(
                f"alerts: the URL of {name} is none that apprise understands",
                hint="https://appriseit.com/services/ lists the services and how their URLs are written",
            )
        return cls(name, url, service)

    @property
    def service(self) -> str:
        """What kind of service it is, such as `Slack`."""
        return str(self._service.service_name)

    @property
    def longest_body(self) -> int:
        """How many characters the service takes."""
        return int(self._service.body_maxlen)

    def send(self, message: Message) -> str:
        """Deliver `message`; returns why it was not, without the URL, or an empty text if the service took it."""
        from apprise import Apprise, NotifyFormat, NotifyType

        kinds = {"critical": NotifyType.FAILURE, "warning": NotifyType.WARNING, "resolved": NotifyType.SUCCESS}
        said: list[str] = []
        sender = Apprise(asset=self._service.asset)
        sender.add(self._service)
        try:
            taken = sender.notify(
                body=message.body(self.longest_body - len(message.title) - 2),
                title=message.title,
                notify_type=kinds.get(message.kind, NotifyType.INFO),
                body_format=NotifyFormat.TEXT,
                timeout=LONGEST_DELIVERY,
                log_callback=lambda entry, _service: said.append(entry.message),
                log_level=logging.WARNING,
            )
        except Exception as error:  # a plugin of a third party may raise anything
            return masked(f"{type(error).__name__}: {error}", self._url)
        return "" if taken else masked("; ".join(said) or "the service did not take it", self._url)


def masked(text: str, url: str) -> str:
    """`text` without the parts of `url`: tokens, passwords, names of hosts and addresses."""
    rest = url.partition("://")[2]
    parts = {part for one in (rest, unquote(rest)) for part in _PARTS.split(one)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, "****")
    return text


def _keep_urls_out_of_logs() -> None:
    """What apprise warns of is returned by `send`; what it and urllib3 log of a request has the path of the URL."""
    logging.getLogger("apprise").propagate = False
    for name in ("apprise", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        if _is_no_request not in logger.filters:
            logger.addFilter(_is_no_request)


def _is_no_request(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO
