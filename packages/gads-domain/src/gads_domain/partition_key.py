"""The logical partition: one day of one report of one account."""

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from gads_domain.errors import InvalidValueError

GOOGLE_ADS = "google_ads"
"""The source of everything that comes from the Google Ads API."""

KEY_MEMBERS = ("source", "customer_id", "report", "logical_date")
"""The members of a partition's key, in their order."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CUSTOMER_ID = re.compile(r"[1-9][0-9]{0,18}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, order=True)
class PartitionKey:
    """`(source, customer_id, report, logical_date)`: what the ledger is about. A run is no part of it.

    `customer_id` is the account's number as text without dashes; `logical_date` is a day of the account's
    own time zone. Raises `InvalidValueError` for anything that could not be a path segment on every storage.
    """

    source: str
    customer_id: str
    report: str
    logical_date: date

    def __post_init__(self) -> None:
        require_name(self.source, "source")
        require_customer_id(self.customer_id)
        require_name(self.report, "report name")
        if type(self.logical_date) is not date:
            raise InvalidValueError(f"logical date must be a date, not {self.logical_date!r}")

    def __str__(self) -> str:
        return f"{self.source}/{self.customer_id}/{self.report}/{self.logical_date.isoformat()}"

    @classmethod
    def parse(cls, text: str) -> "PartitionKey":
        """Read what `str()` wrote; raises `InvalidValueError`."""
        parts = text.split("/")
        if len(parts) != 4:
            raise InvalidValueError(
                f"{text!r} is not a partition key", hint="write it as source/customer_id/report/YYYY-MM-DD"
            )
        return cls(parts[0], parts[1], parts[2], parse_date(parts[3]))


class Keyed:
    """What is about one logical partition, by its `key`."""

    __slots__ = ()

    key: PartitionKey

    @property
    def source(self) -> str:
        """Where the rows come from."""
        return self.key.source

    @property
    def customer_id(self) -> str:
        """The account."""
        return self.key.customer_id

    @property
    def report(self) -> str:
        """The report."""
        return self.key.report

    @property
    def logical_date(self) -> date:
        """The day, in the account's own time zone."""
        return self.key.logical_date


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    """Remembered: a ledger of a million rows has few names."""
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=16_384)
def _is_customer_id(text: str) -> bool:
    return _CUSTOMER_ID.fullmatch(text) is not None


def require_name(text: str, what: str) -> str:
    """Return `text` if it can name a source or a report; raises `InvalidValueError`."""
    if not _is_name(text):
        raise InvalidValueError(
            f"{text!r} cannot be a {what}",
            hint="use lower-case letters, digits and underscores, a letter first, 63 characters at most",
        )
    return text


def require_customer_id(text: str) -> str:
    """Return `text` if it is an account number without dashes; raises `InvalidValueError`."""
    if not _is_customer_id(text):
        raise InvalidValueError(f"{text!r} is not a customer id", hint="write the digits alone: 1234567890")
    return text


def parse_date(text: str) -> date:
    """Read `YYYY-MM-DD` and nothing else; raises `InvalidValueError`."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError  # fromisoformat takes more than one form of the same day
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValueError(f"{text!r} is not a date", hint="write it as YYYY-MM-DD") from None
