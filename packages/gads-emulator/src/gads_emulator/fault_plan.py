"""Fault plans: rules that say which calls are hit and what happens to them, read from JSON or TOML."""

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
from gads_domain.local_path import read_file
from gads_emulator.api_versions import METHODS, error_codes
from gads_gaql.catalogue import latest, load, versions

TOKEN = "Token"
"""The method by which a rule selects the OAuth token endpoint."""
RATE_SCOPES = ("DEVELOPER", "ACCOUNT", "UNSPECIFIED")
_KNOWN_METHODS = frozenset({*METHODS, TOKEN})
MAX_PLAN_BYTES = 1024 * 1024
"""Bytes of a plan's file or request body."""
_MAX_COUNT = 1_000_000_000
_BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("first", "every", "drip_rows", "calls"), (1, _MAX_COUNT)),
    **dict.fromkeys(("after_rows", "after_pages", "operations_per_day"), (0, _MAX_COUNT)),
    **dict.fromkeys(("delay", "drip_delay"), (0, 3_600)),
    "retry_delay": (0, 30 * 86_400),
    "probability": (0, 1),
    "seed": (-(2**63), 2**63 - 1),
}
"""The least and the largest value of each number, seconds for delays."""
_TEXT_BOUNDS = (0, 1_000)
"""Characters of each text: a message travels in gRPC's trailing metadata, of which clients take 8 KiB."""
_MAX_RULES, _MAX_ITEMS = 1_000, 10_000


@dataclass(frozen=True, kw_only=True)
class FaultRule:
    """One fault: which calls it matches, when it strikes them, and what it does. Unset fields narrow nothing.

    A rule matches calls by customer, method and FROM resource. It counts them from 1, and strikes those that `calls`,
    `first`, `every` and `probability` all select. It waits for `delay`, then slows the answer (`drip_rows`) or ends it
    (`status`, `error`, `oauth_error`, `mid_message`): before the first message, after `after_rows` rows or
    `after_pages` messages of a stream, or at the end of a shorter one.

    Raises `ConfigurationError` for unknown names, values out of range, and fields that do not go together.
    """

    customers: tuple[str, ...] = ()
    """Customer ids or patterns (`12*`)."""
    methods: tuple[str, ...] = ()
    """`SearchStream`, `Search`, `ListAccessibleCustomers`, `GetGoogleAdsField`, `SearchGoogleAdsFields` or `Token`."""
    resources: tuple[str, ...] = ()
    """Resources in FROM."""
    calls: tuple[int, ...] = ()
    """Only these calls, by number."""
    first: int | None = None
    """Only the first n calls."""
    every: int | None = None
    """Only every n-th call."""
    probability: float | None = None
    """Drawn from the plan's seed, the customer, the query and its count; the order of other calls does not matter."""
    each_customer: bool = False
    """Count the calls of each customer separately."""
    delay: float = 0.0
    """Seconds before the answer starts."""
    status: str = ""
    """A gRPC status, such as `UNAVAILABLE`; with `error` it replaces the usual status of that error."""
    error: str = ""
    """A Google Ads error as `group.CODE`: `quota_error.RESOURCE_TEMPORARILY_EXHAUSTED`."""
    message: str = ""
    retry_delay: float | None = None
    """Seconds, as `QuotaErrorDetails` of `error`."""
    rate_scope: str = "DEVELOPER"
    """Whose quota `error` is about: `DEVELOPER`, which is the Cloud project, `ACCOUNT` or `UNSPECIFIED`."""
    rate_name: str = "Number of operations"
    """What the API calls that quota."""
    oauth_error: str = ""
    """An error of the token endpoint, such as `invalid_grant`; only for the method `Token`."""
    after_rows: int | None = None
    after_pages: int | None = None
    mid_message: bool = False
    """Break the connection in the middle of a message. Other calls on that connection break too."""
    drip_rows: int | None = None
    """Rows of a message."""
    drip_delay: float = 0.0
    """Seconds between messages."""

    def __post_init__(self) -> None:
        _check_bounds(self)
        for name in self.methods:
            if name not in _KNOWN_METHODS:
                raise _wrong(f"unknown method {name!r}", f"methods: {', '.join(sorted(_KNOWN_METHODS))}")
        if self.status and (self.status == "OK" or self.status not in grpc.StatusCode.__members__):
            raise _wrong(f"{self.status!r} is not a gRPC status of a failure", "for example UNAVAILABLE")
        newest_first = versions()[::-1]
        if self.error and not any(self.error in error_codes(version) for version in newest_first):
            near = get_close_matches(self.error, error_codes(newest_first[0]), n=1)
            hint = f"did you mean {near[0]}?" if near else "for example quota_error.RESOURCE_EXHAUSTED"
            raise _wrong(f"{self.error!r} is not a Google Ads error", hint)
        for name in self.resources:
            if not any(name in load(version).resources() for version in reversed(versions())):
                raise _wrong(f"unknown resource {name!r}", load(latest()).suggestion(name) or "for example campaign")
        if self.oauth_error and self.methods != (TOKEN,):
            raise _wrong("oauth_error applies to the token endpoint only", 'add methods = ["Token"]')
        if self.retry_delay is not None and not self.error:
            raise _wrong("retry_delay needs an error", "add error = 'quota_error.RESOURCE_TEMPORARILY_EXHAUSTED'")
        if self.rate_scope not in RATE_SCOPES:
            raise _wrong(f"{self.rate_scope!r} is not a rate scope", f"rate scopes: {', '.join(RATE_SCOPES)}")

    @property
    def fails(self) -> bool:
        """Whether the rule ends a call instead of only slowing it."""
        stops = self.after_rows is not None or self.after_pages is not None
        return bool(self.status or self.error or self.oauth_error or self.mid_message or stops)

    def matches(self, customer_id: str, method: str, resource: str) -> bool:
        """Return whether the rule is about such calls."""
        return (
            (method in self.methods if self.methods else method != TOKEN)
            and (not self.customers or any(fnmatchcase(customer_id, pattern) for pattern in self.customers))
            and (not self.resources or resource in self.resources)
        )


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Rules, and the daily budget of operations. All rules that strike a call act on it, the first one outermost."""

    rules: tuple[FaultRule, ...] = ()
    seed: int = 1
    operations_per_day: int | None = None
    """Operations within 24 hours of the API's clock, of all callers together: the quota is the Cloud project's.

    A stream or a search is one operation.
    """

    def __post_init__(self) -> None:
        _check_bounds(self)


def _check_bounds(part: FaultRule | FaultPlan) -> None:
    for name, value in vars(part).items():
        items = value if isinstance(value, tuple) else (value,)
        most = _MAX_RULES if name == "rules" else _MAX_ITEMS
        if len(items) > most:
            raise _wrong(f"there are {len(items)} {name}, which is more than {most}")
        for item in items:
            size, (low, high) = item, _BOUNDS.get(name, _TEXT_BOUNDS)
            if isinstance(item, str):
                size, (low, high) = len(item), _TEXT_BOUNDS
            if isinstance(size, int | float) and not low <= size <= high:  # NaN is not within bounds either
                unit = " characters long" if isinstance(item, str) else ""
                raise _wrong(f"{name} must be {low} to {high}{unit}, not {size}")


def read_fault_plan(path: Path) -> FaultPlan:
    """Read a `.toml` or `.json` file. Raises `ConfigurationError`."""
    try:
        text = read_file(path, MAX_PLAN_BYTES).decode()
        return fault_plan_from(tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}", hint=error.hint) from None


def fault_plan_from(document: object) -> FaultPlan:
    """Read `{"seed": 1, "operations_per_day": 100, "faults": [{"status": "UNAVAILABLE", "first": 1}]}`.

    Raises `ConfigurationError`.
    """
    if not isinstance(document, Mapping):
        raise _wrong("the plan must be a table")
    unknown = sorted(set(document) - {"seed", "operations_per_day", "faults"})
    if unknown:
        raise _wrong(f"unknown key {unknown[0]!r}", "known: seed, operations_per_day, faults")
    seed, budget, rules = document.get("seed", 1), document.get("operations_per_day"), document.get("faults", [])
    numbers = type(seed) is int and (budget is None or type(budget) is int)  # a bool is an int in Python
    if not numbers or not isinstance(rules, list):
        raise _wrong("seed and operations_per_day must be integers, and faults a list of tables")
    read = tuple(_rule(rule) for rule in rules[: _MAX_RULES + 1])
    return FaultPlan(rules=read, seed=seed, operations_per_day=budget)


def fault_plan_as_json(plan: FaultPlan) -> dict[str, Any]:
    """Return what `fault_plan_from` reads."""
    rules = [
        {f.name: getattr(rule, f.name) for f in fields(FaultRule) if getattr(rule, f.name) != f.default}
        for rule in plan.rules
    ]
    return {"seed": plan.seed, "operations_per_day": plan.operations_per_day, "faults": rules}


_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}


def _rule(document: object) -> FaultRule:
    if not isinstance(document, Mapping):
        raise _wrong("each fault must be a table")
    known = {field.name: str(field.type) for field in fields(FaultRule)}
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in known:
            raise _wrong(f"unknown key {name!r} of a fault", f"known: {', '.join(known)}")
        kind = known[name]
        if kind.startswith("tuple"):
            items = value if isinstance(value, list) else [value]
            # A customer's id may be written as a number.
            wanted, taken = (int, (int,)) if "int" in kind else (str, (int, str))
            values[name] = tuple(wanted(item) if type(item) in taken else _refuse(name) for item in items)
            continue
        kinds = _KINDS[kind.partition(" ")[0]]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            _refuse(name)
        values[name] = value
    return FaultRule(**values)


def _refuse(name: str) -> Any:
    raise _wrong(f"the value of {name!r} has the wrong type")


_HINT = "the README of gads-emulator has a table of the keys of a fault"


def _wrong(message: str, hint: str = _HINT) -> ConfigurationError:
    return ConfigurationError(f"fault plan: {message}", hint=hint)
