"""`[run]`, `[quota]`, `[retry]`, `[retention]` and others of `gads.toml`: the settings of the control plane."""

from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Literal

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gads_domain.completeness import Freshness
from gads_domain.control import RetentionPolicy
from gads_domain.errors import failure_codes
from gads_orchestrator.budget import Budget
from gads_orchestrator.restatement_policy import RestatementPolicy
from gads_orchestrator.retry_policy import KEPT_DAYS, ErrorRule, RetryPolicy


class Section(BaseModel):
    """A section that refuses a key that it does not have."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSection(Section):
    """`[run]`: workers, how far back `plan` and `serve` go, how long a lease outlives a crash, how often to look.

    A process that says nothing for `heartbeat_seconds` is silent.
    """

    workers: int = Field(default=1, ge=1, le=64)
    backfill_since: date | None = None
    lease_seconds: float = Field(default=60, ge=5, le=3600)
    look_seconds: float = Field(default=30, gt=0, le=3600)
    heartbeat_seconds: float = Field(default=30, ge=0.2, le=3600)


ACCESS_LEVELS = {"explorer": 2_880, "basic": 15_000, "standard": None}
"""Operations a day of a Cloud project by its access level; None: no daily limit.

Source: https://developers.google.com/google-ads/api/docs/api-policy/access-levels
"""


class QuotaSection(Section):
    """`[quota]`: the operations that all processes on this ledger may spend together within any 24 hours.

    Given by the access level of the Cloud project or by a number; with neither there is no limit. A run waits up to
    `wait_seconds` for the end of a rest that the API asks for.
    """

    access_level: Literal["explorer", "basic", "standard"] | None = None
    operations_per_day: int | None = Field(default=None, ge=1)
    name: str = Field(default="default", min_length=1, max_length=100)
    wait_seconds: float = Field(default=300, ge=0, le=86_400)
    time_zone: str = ""
    """Of earlier versions, whose budget had a day that began at midnight; it is read and means nothing."""

    @model_validator(mode="after")
    def _one_limit(self) -> "QuotaSection":
        if self.access_level is not None and self.operations_per_day is not None:
            raise ValueError("access_level and operations_per_day both set the limit; keep one of them")
        return self

    @property
    def limit(self) -> int | None:
        """Operations within 24 hours; None without a limit."""
        return self.operations_per_day if self.access_level is None else ACCESS_LEVELS[self.access_level]

    @property
    def budget(self) -> Budget:
        """The budget that this describes."""
        return Budget(self.name, self.limit)

    @property
    def longest_rest(self) -> timedelta:
        """How long a run waits for the end of a rest."""
        return timedelta(seconds=self.wait_seconds)


class FreshnessSection(Section):
    """`[freshness]`: how old a list of accounts may be, and how long after its end a day is due."""

    accounts_max_age_hours: float = Field(default=36, gt=0)
    due_hours: float = Field(default=6, ge=0, le=240)

    @property
    def limits(self) -> Freshness:
        """The two as times."""
        return Freshness(timedelta(hours=self.due_hours), timedelta(hours=self.accounts_max_age_hours))


class ErrorRuleSection(Section):
    """`[retry.errors.<code>]`: another rule for one code of failure."""

    retry: bool | None = None
    max_attempts: int | None = Field(default=None, ge=1)


class RetrySection(Section):
    """`[retry]`: when a failed partition is attempted again."""

    first_delay_minutes: float = Field(default=5, gt=0)
    largest_delay_minutes: float = Field(default=360, gt=0)
    jitter: float = Field(default=0.2, ge=0, le=1)
    max_attempts: int = Field(default=8, ge=1)
    max_age_days: int = Field(default=KEPT_DAYS, ge=1)
    errors: dict[str, ErrorRuleSection] = Field(default_factory=dict)

    @field_validator("errors")
    @classmethod
    def _known_codes(cls, rules: dict[str, ErrorRuleSection]) -> dict[str, ErrorRuleSection]:
        known = sorted(failure_codes())
        for code in rules:
            if code not in known:
                near = get_close_matches(code, known, n=1)
                meant = f"; {near[0]} may be meant" if near else ""
                raise ValueError(f"no failure has the code {code!r}{meant}; codes: {', '.join(known)}")
        return rules

    @model_validator(mode="after")
    def _in_order(self) -> "RetrySection":
        if self.largest_delay_minutes < self.first_delay_minutes:
            raise ValueError("largest_delay_minutes is below first_delay_minutes")
        return self

    @property
    def policy(self) -> RetryPolicy:
        """The policy that this describes."""
        return RetryPolicy(
            first_delay=timedelta(minutes=self.first_delay_minutes),
            largest_delay=timedelta(minutes=self.largest_delay_minutes),
            jitter=self.jitter,
            max_attempts=self.max_attempts,
            max_age_days=self.max_age_days,
            rules={code: ErrorRule(rule.retry, rule.max_attempts) for code, rule in self.errors.items()},
        )


class RestatementSection(Section):
    """`[restatement]`: what is done with restated days that come as they were sealed before.

    They are not sealed again, unless `seal_unchanged`, or where the seal is older than `reseal_after_days` (0: however
    old). The share `verify_share` of the seals is read back before.
    """

    seal_unchanged: bool = False
    reseal_after_days: int = Field(default=0, ge=0, le=4_000)
    verify_share: float = Field(default=0.01, ge=0, le=1)

    def policy(self, *, trust: bool = False) -> RestatementPolicy:
        """The policy that this describes; with `trust` nothing is read back."""
        days = self.reseal_after_days
        share = 0.0 if trust else self.verify_share
        return RestatementPolicy(self.seal_unchanged, timedelta(days=days) if days else None, share)


class RetentionSection(Section):
    """`[retention]`: after how many days superseded runs are removed from the sink; without it, never.

    The newest `keep_superseded` of a partition stay in any case. `serve` removes runs every `prune_hours`.
    """

    superseded_days: int | None = Field(default=None, ge=1, le=4_000)
    keep_superseded: int = Field(default=0, ge=0, le=1_000)
    prune_hours: float = Field(default=24, gt=0, le=8_784)

    @property
    def policy(self) -> RetentionPolicy | None:
        """The policy that this describes; None if nothing is ever removed."""
        days = self.superseded_days
        return None if days is None else RetentionPolicy(timedelta(days=days), self.keep_superseded)


class ScheduleSection(Section):
    """`[[schedules]]`: when new days and restatements of some reports are started, in each account's own zone.

    `cron` has five fields: minute, hour, day of the month, month, day of the week. Without `reports` it is for all
    reports that no other schedule names.
    """

    cron: str
    reports: tuple[str, ...] = ()

    @field_validator("cron")
    @classmethod
    def _readable(cls, text: str) -> str:
        try:
            if len(text.split()) != 5:
                raise CronSimError("it must have five fields")
            next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as error:
            raise ValueError(f"{text!r} is not a cron expression ({error}), such as '0 5 * * *'") from None
        return text
