"""What is to go wrong: rules that say which calls are hit and what happens to them. Read from JSON or TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import grpc

from gads_domain.errors import ConfigurationError
from gads_emulator.api_versions import error_codes, installed_versions
from gads_emulator.methods import METHODS
from gads_gaql.catalogue import latest, load, versions

TOKEN = "Token"
"""The name under which a rule hits the OAuth token endpoint."""
_KNOWN_METHODS = frozenset({*METHODS, TOKEN})


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """One fault. What it hits, when, and what it does; everything left out does not narrow it.

    **Hits** calls whose customer, method and FROM resource match. **When**: a rule counts the calls that it matches,
    from 1, and strikes those that `calls`, `first`, `every` and `probability` all let through. **Does**: `delay`, then
    either slows the answer (`drip_rows`) or ends it (`status`, `error`, `oauth_error`, `mid_message`) before the first
    message, or after `after_rows` rows or `after_pages` messages of a stream, or after all of a shorter one.

    Raises `ConfigurationError` for what cannot be meant.
    """

    customers: tuple[str, ...] = ()
    """Customer ids or patterns of them (`12*`)."""
    methods: tuple[str, ...] = ()
    """`SearchStream`, `Search`, `ListAccessibleCustomers`, `GetGoogleAdsField`, `SearchGoogleAdsFields` or `Token`."""
    resources: tuple[str, ...] = ()
    """Names in FROM."""
    calls: tuple[int, ...] = ()
    """These calls alone."""
    first: int | None = None
    """The first so many calls."""
    every: int | None = None
    """Every n-th call."""
    probability: float | None = None
    """Drawn from the plan's seed, the customer, the query and how often it was asked; the order of calls is nothing."""
    each_customer: bool = False
    """Count the calls of each customer for itself."""
    delay: float = 0.0
    """Seconds before anything is answered."""
    status: str = ""
    """A gRPC status, such as `UNAVAILABLE`; with `error` it replaces the status that goes with the error."""
    error: str = ""
    """A Google Ads error as `group.CODE`: `quota_error.RESOURCE_TEMPORARILY_EXHAUSTED`."""
    message: str = ""
    retry_delay: float | None = None
    """Seconds, as `QuotaErrorDetails` of `error`."""
    oauth_error: str = ""
    """What the token endpoint answers, such as `invalid_grant`; only for the method `Token`."""
    after_rows: int | None = None
    after_pages: int | None = None
    mid_message: bool = False
    """Break the connection while a message is under way. Other calls on that connection break too."""
    drip_rows: int | None = None
    """Rows a message."""
    drip_delay: float = 0.0
    """Seconds between messages."""

    def __post_init__(self) -> None:
        for name in self.methods:
            if name not in _KNOWN_METHODS:
                raise _wrong(f"no method {name!r}", f"methods: {', '.join(sorted(_KNOWN_METHODS))}")
        if self.status and (self.status == "OK" or self.status not in grpc.StatusCode.__members__):
            raise _wrong(f"{self.status!r} is no gRPC status of a failure", "for example UNAVAILABLE")
        newest_first = installed_versions()[::-1]
        if self.error and not any(self.error in error_codes(version) for version in newest_first):
            near = get_close_matches(self.error, error_codes(newest_first[0]), n=1)
            hint = f"did you mean {near[0]}?" if near else "for example quota_error.RESOURCE_EXHAUSTED"
            raise _wrong(f"{self.error!r} is no Google Ads error", hint)
        for name in self.resources:
            if not any(name in load(version).resources() for version in reversed(versions())):
                near_resource = load(latest()).closest(name)
                hint = f"did you mean {near_resource}?" if near_resource else "for example campaign"
                raise _wrong(f"there is no resource {name!r}", hint)
        if self.oauth_error and self.methods != (TOKEN,):
            raise _wrong("oauth_error is for the token endpoint", 'add methods = ["Token"]')
        if self.retry_delay is not None and not self.error:
            raise _wrong("retry_delay belongs to an error", "add error = 'quota_error.RESOURCE_TEMPORARILY_EXHAUSTED'")
        for name in ("first", "every", "drip_rows"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise _wrong(f"{name} must be 1 or more, not {value}")
        for name in ("delay", "drip_delay", "after_rows", "after_pages", "retry_delay"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise _wrong(f"{name} cannot be negative")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise _wrong(f"probability must be from 0 to 1, not {self.probability}")

    @property
    def fails(self) -> bool:
        """Whether it ends a call, not only slows it."""
        return bool(
            self.status
            or self.error
            or self.oauth_error
            or self.mid_message
            or self.after_rows is not None
            or self.after_pages is not None
        )

    def matches(self, customer_id: str, method: str, resource: str) -> bool:
        """Whether it is about such calls."""
        return (
            (method in self.methods if self.methods else method != TOKEN)
            and (not self.customers or any(fnmatchcase(customer_id, pattern) for pattern in self.customers))
            and (not self.resources or resource in self.resources)
        )


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Rules, of which each that strikes a call acts on it, the first one outermost; and what a day may cost."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 1
    operations_per_day: int | None = None
    """What a developer token has on a day (UTC) of the API's clock. A stream is one operation, as is a search."""


def read_fault_plan(path: Path) -> FaultPlan:
    """Read a `.toml` or `.json` file. Raises `ConfigurationError`."""
    try:
        text = path.read_text("utf-8")
        document = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    try:
        return fault_plan_from(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}", hint=error.hint) from None


def fault_plan_from(document: object) -> FaultPlan:
    """Read `{"seed": 1, "operations_per_day": 100, "faults": [{"status": "UNAVAILABLE", "first": 1}]}`.

    Raises `ConfigurationError`.
    """
    if not isinstance(document, Mapping):
        raise _wrong("a fault plan is a table")
    unknown = sorted(set(document) - {"seed", "operations_per_day", "faults"})
    if unknown:
        raise _wrong(f"unknown key {unknown[0]!r}", "known: seed, operations_per_day, faults")
    seed, budget, rules = document.get("seed", 1), document.get("operations_per_day"), document.get("faults", [])
    if not isinstance(seed, int) or not isinstance(budget, int | None) or not isinstance(rules, list):
        raise _wrong("seed and operations_per_day are whole numbers, faults is a list of tables")
    return FaultPlan(rules=tuple(_rule(rule) for rule in rules), seed=seed, operations_per_day=budget)


def fault_plan_as_json(plan: FaultPlan) -> dict[str, Any]:
    """Return what `fault_plan_from` reads."""
    rules = [
        {f.name: getattr(rule, f.name) for f in fields(FaultRule) if getattr(rule, f.name) != f.default}
        for rule in plan.rules
    ]
    return {"seed": plan.seed, "operations_per_day": plan.operations_per_day, "faults": rules}


_KINDS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "bool": (bool,),
}


def _rule(said: object) -> FaultRule:
    if not isinstance(said, Mapping):
        raise _wrong("each fault is a table")
    known = {field.name: str(field.type) for field in fields(FaultRule)}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name not in known:
            raise _wrong(f"a fault has no {name!r}", f"known: {', '.join(known)}")
        kind = known[name]
        if kind.startswith("tuple"):
            items = value if isinstance(value, list) else [value]
            wanted = int if "int" in kind else str
            # A customer's id may be written as a number.
            values[name] = tuple(wanted(item) if isinstance(item, int | str) else _refuse(name) for item in items)
            continue
        kinds = _KINDS[kind.partition(" ")[0]]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            _refuse(name)
        values[name] = value
    return FaultRule(**values)


def _refuse(name: str) -> Any:
    raise _wrong(f"the value of {name!r} is of the wrong type")


def _wrong(
    message: str, hint: str = "the README of gads-emulator has a table of what a fault may say"
) -> ConfigurationError:
    return ConfigurationError(f"fault plan: {message}", hint=hint)
