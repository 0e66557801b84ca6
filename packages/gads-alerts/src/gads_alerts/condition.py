"""What an evaluation finds: conditions that a person should be told of."""

from collections.abc import Iterable
from dataclasses import dataclass

from gads_alerts.rules import Rule
from gads_domain.activity import Severity


@dataclass(frozen=True, slots=True)
class Condition:
    """Something is wrong: `rule` and `subject` say what, and stay the same for as long as it lasts.

    `text` is a sentence for people, `examples` names some of the accounts, and `command` is what to call next.
    """

    rule: Rule
    subject: str
    severity: Severity
    text: str
    command: str
    examples: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The conditions at a moment, worst first; of the rules `unknown` it cannot be told whether they hold."""

    conditions: tuple[Condition, ...]
    unknown: frozenset[Rule] = frozenset()

    @classmethod
    def of(cls, conditions: Iterable[Condition], unknown: Iterable[Rule] = ()) -> "Evaluation":
        """These conditions in order."""
        order = list(Rule)
        found = sorted(
            conditions, key=lambda one: (one.severity is Severity.WARNING, order.index(one.rule), one.subject)
        )
        return cls(tuple(found), frozenset(unknown))


def some_of(names: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    found = list(names)
    more = f" and {len(found) - most:,} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
