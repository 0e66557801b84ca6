"""`[[alerts]]` of `gads.toml`: who is told of what."""

from __future__ import annotations

import os
import re
from datetime import time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from gads_alerts.destination import Destination
from gads_alerts.rules import AlertRules, Deadline, Rule
from gads_domain.account_days import zone_named
from gads_domain.activity import Severity
from gads_domain.errors import ConfigurationError, GadsError
from gads_pipeline.account_patterns import AccountPattern
from gads_pipeline.control_plane_configuration import Section

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _time_of_day(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"{value!r} is not a time of day, such as '09:00'")
    return value


def _pattern(text: str) -> str:
    try:
        if AccountPattern.parse(text).kind in ("label", "status"):
            raise ValueError(f"{text!r}: a deadline knows accounts by id and name alone")
    except GadsError as error:
        raise ValueError(f"{error.message}: {error.hint}") from None
    return text


def _zone(name: str) -> str:
    try:
        zone_named(name)
    except GadsError as error:
        raise ValueError(f"{error.message}: {error.hint}") from None
    return name


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]


class DeadlineSection(Section):
    """`deadlines` of `[[alerts]]`: yesterday is complete at the time of day `by`, in each account's zone."""

    by: TimeOfDay
    reports: tuple[str, ...] = ()
    accounts: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()

    @property
    def deadline(self) -> Deadline:
        """The deadline that this describes."""
        return Deadline(self.by, self.reports, self.accounts)


class AlertSection(Section):
    """`[[alerts]]`: a destination, as an apprise URL, and what it is told of; with nothing else of everything.

    The URL is a secret: better than `url` is `url_env`, the name of an environment variable that has it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,60}$")] = ""
    url: SecretStr | None = None
    url_env: str = ""
    watch: tuple[Rule, ...] = tuple(Rule)
    severity: Severity = Severity.WARNING
    repeat_hours: float = Field(default=24, ge=0, le=8_784)
    digest: TimeOfDay | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    deadlines: tuple[DeadlineSection, ...] = ()
    gap_hours: float = Field(default=12, ge=0, le=8_784)
    budget_share: float = Field(default=0.9, gt=0, le=1)
    restatement_share: float = Field(default=0.25, gt=0)
    sunset_days: int = Field(default=60, ge=0, le=400)
    warehouse_hours: float = Field(default=6, gt=0, le=8_784)
    disk_gb: float = Field(default=5, ge=0)

    @model_validator(mode="after")
    def _one_url(self) -> AlertSection:
        # No message repeats a URL.
        if (self.url is None) == (not self.url_env):
            raise ValueError("give either url_env, the name of an environment variable, or url")
        if self.url_env and not _VARIABLE.fullmatch(self.url_env):
            raise ValueError("url_env is the name of an environment variable, and not the URL itself")
        if self.url is not None and _SCHEME.match(self.url.get_secret_value()) is None:
            raise ValueError("url does not begin with the scheme of a service, such as slack:// or mailtos://")
        return self

    @property
    def destination(self) -> str:
        """The name of the destination: as given, or that of the variable, or the scheme of the URL."""
        if self.name or self.url_env or self.url is None:
            return self.name or self.url_env
        found = _SCHEME.match(self.url.get_secret_value())
        return "" if found is None else found[1].lower()

    def read_url(self) -> str:
        """The URL; raises `ConfigurationError` if the environment does not have it."""
        if self.url is not None:
            return self.url.get_secret_value()
        found = os.environ.get(self.url_env, "").strip()
        if not found:
            raise ConfigurationError(
                f"alerts: the environment has no {self.url_env}",
                hint="set it to the URL of the destination, such as slack://TOKEN_A/TOKEN_B/TOKEN_C",
            )
        return found

    def open(self) -> Destination:
        """The destination; raises `ConfigurationError` if its URL is not there or not understood."""
        return Destination.open(self.destination, self.read_url())

    @property
    def rules(self) -> AlertRules:
        """What the destination is told of."""
        return AlertRules(
            watch=frozenset(self.watch),
            least=self.severity,
            repeat=timedelta(hours=self.repeat_hours) if self.repeat_hours else None,
            digest=self.digest,
            time_zone=self.time_zone,
            deadlines=tuple(one.deadline for one in self.deadlines),
            gap=timedelta(hours=self.gap_hours),
            budget_share=self.budget_share,
            restatement_share=self.restatement_share,
            sunset=timedelta(days=self.sunset_days),
            warehouse=timedelta(hours=self.warehouse_hours),
            disk_bytes=int(self.disk_gb * 1_000_000_000),
        )
