"""An account of the API, as the managers above it see it."""

from dataclasses import dataclass
from enum import StrEnum

from gads_domain.errors import FailureReason, InvalidValueError
from gads_domain.partition_key import require_customer_id


class AccountStatus(StrEnum):
    """`CustomerStatusEnum` of the API; a name that this software does not know is `UNKNOWN`.

    Source: https://developers.google.com/google-ads/api/reference/rpc/v26/CustomerStatusEnum.CustomerStatus
    """

    ENABLED = "ENABLED"
    CANCELED = "CANCELED"
    """Cancelled; an admin may bring it back."""
    SUSPENDED = "SUSPENDED"
    """Serves no ads until Google's support lets it; its past can be read."""
    CLOSED = "CLOSED"
    """Gone for ever; but every test account is `CLOSED` too, and works."""
    UNKNOWN = "UNKNOWN"

    @classmethod
    def of(cls, name: str | None) -> "AccountStatus":
        """The status that the API calls `name`."""
        return cls.UNKNOWN if name is None or name not in cls.__members__ else cls(name)


@dataclass(frozen=True, slots=True)
class Account:
    """One account, a manager or a client.

    - `time_zone`: the IANA name of the zone whose midnights part its days; `currency`: an ISO 4217 code. Both are empty
      where the API does not say, as for an account that it refuses.
    - `level`: how far below the account at which the listing began; 0 is that account itself.
    - `parent_id`: the manager right above it; None at level 0, and where the API does not let it be known.
    - `other_parent_ids`: further managers right above it; an account may lie below several.
    - `labels`: the names of the account labels that the account at level 0 has put on it, sorted.
    - `refusal`: why the API would not tell of it, or of what lies below it; None if it did.

    Raises `InvalidValueError` for an id that is none and a level below 0.
    """

    customer_id: str
    name: str = ""
    manager: bool = False
    currency: str = ""
    time_zone: str = ""
    status: AccountStatus = AccountStatus.UNKNOWN
    level: int = 0
    parent_id: str | None = None
    labels: tuple[str, ...] = ()
    hidden: bool = False
    test_account: bool = False
    refusal: FailureReason | None = None
    other_parent_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_customer_id(self.customer_id)
        if self.level < 0:
            raise InvalidValueError(f"account {self.customer_id} lies {self.level} levels below another")

    @property
    def reason_not_to_ask(self) -> FailureReason | None:
        """Why the API would surely refuse this account's reports; None if it must be asked to know.

        A refusal that does not pass, and a status that speaks for itself: asking would cost an operation and say the
        same. A suspended account is asked, since its past can still be read; so is a test account, closed or not.
        """
        if self.refusal is not None:
            return None if self.refusal.retryable else self.refusal
        gone = {AccountStatus.CANCELED, AccountStatus.CLOSED}
        if self.status in gone and not self.test_account:
            return FailureReason(
                "api_permanent",
                f"CUSTOMER_NOT_ENABLED: the API lists the account as {self.status}",
                retryable=False,
                hint="leave it out with accounts.exclude, or have it enabled and run with `retry_failed`",
            )
        return None
