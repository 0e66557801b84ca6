"""What can keep tables from being loaded or compared, whichever engine holds them; they are as they were."""

from gads_domain.errors import GadsError, UsageError


class WarehouseDamagedError(GadsError, code="warehouse_damaged"):
    """The warehouse is not what the loader wrote."""

    default_hint = "move the file away and load again: all of it can be had from the partitions"


class OtherLedgerError(UsageError, code="other_ledger"):
    """The tables were loaded from another ledger."""

    default_hint = "check storage.state and warehouse.url; another ledger needs a warehouse of its own"
