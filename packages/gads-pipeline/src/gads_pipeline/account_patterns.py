"""Patterns of accounts in `[accounts]`: `123-456-7890`, `Acme *`, `label:priority`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gads_domain.account import Account
from gads_domain.errors import InvalidValueError

_KINDS = ("id", "name", "label")
_BARE_ID = re.compile(r"[0-9*?-]*[0-9][0-9*?-]*")


@dataclass(frozen=True, slots=True)
class AccountPattern:
    """A pattern with `*` and `?` of an account's id, name or one of its labels.

    A prefix `id:`, `name:` or `label:` says which; without one, digits match ids and anything else matches names.
    Names and labels are compared without regard to case, ids without dashes.
    """

    kind: str
    glob: str

    @classmethod
    def parse(cls, text: str) -> AccountPattern:
        """Read `text`; raises `InvalidValueError` for an empty pattern."""
        kind, colon, rest = text.partition(":")
        if not colon or kind not in _KINDS:
            kind, rest = ("id" if _BARE_ID.fullmatch(text) else "name"), text
        if not rest.strip():
            raise InvalidValueError(
                f"{text!r} is not a pattern of accounts", hint="write an id, a name with * and ?, or label:NAME"
            )
        return cls(kind, rest.replace("-", "") if kind == "id" else rest.casefold())

    def matches(self, account: Account) -> bool:
        """Whether the pattern matches the account itself."""
        if self.kind == "id":
            return fnmatchcase(account.customer_id, self.glob)
        texts = [account.name] if self.kind == "name" else account.labels
        return any(fnmatchcase(text.casefold(), self.glob) for text in texts)
