"""Patterns of accounts in `[accounts]`: `123-456-7890`, `Acme *`, `label:priority`, `status:ENABLED`."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gads_domain.account import Account, AccountStatus
from gads_domain.errors import InvalidValueError

_KINDS = ("id", "name", "label", "status")
_BARE_ID = re.compile(r"[0-9*?-]*[0-9][0-9*?-]*")


@dataclass(frozen=True, slots=True)
class AccountPattern:
    """A pattern with `*` and `?` of an account's id, name, one of its labels, or its status.

    A prefix `id:`, `name:`, `label:` or `status:` says which; without one, digits match ids and anything else matches
    names. Names, labels and statuses are compared without regard to case, ids without dashes.
    """

    kind: str
    glob: str

    @classmethod
    def parse(cls, text: str) -> "AccountPattern":
        """Read `text`; raises `InvalidValueError` for an empty pattern and for a status that there is not."""
        kind, colon, rest = text.partition(":")
        if not colon or kind not in _KINDS:
            kind, rest = ("id" if _BARE_ID.fullmatch(text) else "name"), text
        if not rest.strip():
            raise InvalidValueError(
                f"{text!r} is not a pattern of accounts",
                hint="write an id, a name with * and ?, label:NAME or status:ENABLED",
            )
        if kind == "status" and not any(fnmatchcase(name.casefold(), rest.casefold()) for name in AccountStatus):
            raise InvalidValueError(
                f"{text!r} is not a pattern of accounts: no account has this status",
                hint=f"statuses: {', '.join(AccountStatus)}",
            )
        return cls(kind, rest.replace("-", "") if kind == "id" else rest.casefold())

    @property
    def is_inherited(self) -> bool:
        """Whether a manager that matches means everything below it; a status is each account's own."""
        return self.kind != "status"

    def matches(self, account: Account) -> bool:
        """Whether the pattern matches the account itself."""
        if self.kind == "id":
            return fnmatchcase(account.customer_id, self.glob)
        texts = {"name": (account.name,), "label": account.labels, "status": (account.status.value,)}[self.kind]
        return any(fnmatchcase(text.casefold(), self.glob) for text in texts)
