"""What is missing for one reason, of all reports together: a screen has no place for each report's own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from gads_domain.expectations import ListedAccount
from gads_domain.gaps import GapRange
from gads_domain.standing import GapGroup
from gads_domain.state import PartitionStatus
from gads_domain.visible_text import one_line

_CUSTOMER_ID = re.compile(r"\b\d{10}\b")
_LONGEST_REASON = 200
_NAMED_AT_MOST = 2


@dataclass(frozen=True, slots=True)
class GapSummary:
    """Gaps with one status and one reason, in which each account's number reads `…`.

    Of `accounts` at least: groups may be of the same accounts, so that they are those that are named, or those of the
    group with most.
    """

    status: PartitionStatus
    reason: str
    groups: tuple[GapGroup, ...]

    @property
    def reports(self) -> tuple[str, ...]:
        """The reports, each once, in the order of the groups."""
        return tuple(dict.fromkeys(group.report for group in self.groups))

    @property
    def partitions(self) -> int:
        """How many partitions are missing."""
        return sum(group.partitions for group in self.groups)

    @property
    def accounts(self) -> int:
        """Of how many accounts, at least."""
        return max(len(self._named), *(group.accounts for group in self.groups))

    @property
    def first(self) -> date:
        """The earliest day."""
        return min(group.first for group in self.groups)

    @property
    def last(self) -> date:
        """The latest day."""
        return max(group.last for group in self.groups)

    @property
    def code(self) -> str:
        """The failure's code, if one is the reason."""
        return self.groups[0].code

    @property
    def example(self) -> GapRange | None:
        """One of the gaps."""
        return next((one for group in self.groups for one in group.examples), None)

    def named(self, names: Mapping[str, str]) -> str:
        """A few of the accounts, with their names, and how many more there are."""
        shown = [
            str(ListedAccount(number, one_line(names.get(number, ""), 40))) for number in self._named[:_NAMED_AT_MOST]
        ]
        more = self.accounts - len(shown)
        return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")

    @property
    def _named(self) -> list[str]:
        return list(dict.fromkeys(one.first.customer_id for group in self.groups for one in group.examples))


def summed_up(groups: Iterable[GapGroup]) -> list[GapSummary]:
    """`groups` by status and reason, in their order."""
    found: dict[tuple[PartitionStatus, str], list[GapGroup]] = {}
    for group in groups:
        reason = one_line(_CUSTOMER_ID.sub("…", group.reason[: 4 * _LONGEST_REASON]), _LONGEST_REASON)
        found.setdefault((PartitionStatus(group.status), reason), []).append(group)
    return [GapSummary(*key, tuple(some)) for key, some in found.items()]
