"""The accounts of a synthetic agency: a manager, a manager below it, and clients under both."""

from dataclasses import dataclass
from datetime import date

from gads_domain.errors import InvalidValueError
from gads_domain.package_data import tables_of
from gads_emulator.agency import Account
from gads_emulator.synthetic.activity import draw

_NAMES: list[str] = tables_of("gads_emulator", "synthetic/agency.toml")["accounts"]["names"]
_PLACES: list[tuple[str, str]] = tables_of("gads_emulator", "synthetic/agency.toml")["accounts"]["places"]


@dataclass(frozen=True)
class SyntheticSettings:
    """The settings of a synthetic agency. The same settings give the same rows on every machine.

    Raises `InvalidValueError` for counts out of range and for a reversed range of days.
    """

    seed: int = 1
    accounts: int = 3
    """Enabled client accounts; a third of them, rounded down, under the nested manager."""
    campaigns: int = 6
    """Campaigns of each client."""
    first: date = date(2024, 1, 1)
    """The first day that has rows."""
    last: date = date(2024, 12, 31)
    """The last day that has rows."""
    disabled_accounts: int = 0
    """Cancelled clients besides `accounts`: listed, but refused."""
    ad_groups: int = 3
    """Ad groups of a campaign, unless its type has none."""
    keywords: int = 5
    """Keywords of an ad group of a search campaign."""
    ads: int = 2
    """Ads of an ad group."""
    keeps_everything: bool = False
    """Whether days of any age are answered; otherwise what is older than the API's history is refused as there."""

    restated_for: int = 0
    """Days for which the conversions of a day still grow, 1 to 90; other metrics grow for 3 days.

    0: a day is final at once. Otherwise a day depends on its age by the API's clock, and days after today have no
    rows.
    """

    def __post_init__(self) -> None:
        for name in ("accounts", "campaigns", "ad_groups", "keywords", "ads"):
            if getattr(self, name) < 1:
                raise InvalidValueError(f"{name} must be 1 or more")
        if self.disabled_accounts < 0:
            raise InvalidValueError("disabled_accounts must be 0 or more")
        if not 0 <= self.restated_for <= 90:
            raise InvalidValueError(f"restated_for must be 0 to 90 days, not {self.restated_for}")
        if self.last < self.first:
            raise InvalidValueError(f"the last day {self.last} is before the first day {self.first}")


def make_accounts(settings: SyntheticSettings) -> dict[str, Account]:
    """Return every account by id, managers before their clients; the first is the login customer."""
    seed = settings.seed
    root = Account(_id(seed, "manager"), "Lighthouse Agency", manager=True)
    nested = Account(
        _id(seed, "nested manager"), "Lighthouse Europe", "EUR", "Europe/Paris", manager=True, parent=root.customer_id
    )
    made = {root.customer_id: root, nested.customer_id: nested}
    for number in range(settings.accounts + settings.disabled_accounts):
        parent = nested if number % 3 == 2 else root
        currency, time_zone = _PLACES[number % len(_PLACES)]
        name = _NAMES[number % len(_NAMES)] + (f" {number // len(_NAMES) + 1}" if number >= len(_NAMES) else "")
        status = "ENABLED" if number < settings.accounts else "CANCELED"
        customer_id = _id(seed, "client", number)
        made[customer_id] = Account(customer_id, name, currency, time_zone, status=status, parent=parent.customer_id)
    return made


def _id(*key: object) -> str:
    numbers = draw("account", *key)
    return str(5_000_000_000 + numbers.below(2_000_000_000) * 2 + numbers.below(2))
