"""The laws of each port of gads-etl as pytest suites: an adapter's test class subclasses the suite of its port.

A name is imported when it is first used, so that importing the package loads no other suite.
"""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_conformance.accounts import AccountDirectoryLaws as AccountDirectoryLaws
    from gads_conformance.clock import ClockLaws as ClockLaws
    from gads_conformance.clock import RunIdMakerLaws as RunIdMakerLaws
    from gads_conformance.law import law as law
    from gads_conformance.law import laws_of as laws_of
    from gads_conformance.ledger.activity_laws import ActivityLaws as ActivityLaws
    from gads_conformance.ledger.expectation_laws import AccountListLaws as AccountListLaws
    from gads_conformance.ledger.laws import LedgerLaws as LedgerLaws
    from gads_conformance.ledger.standing_laws import StandingLaws as StandingLaws
    from gads_conformance.report_source import ReportSourceLaws as ReportSourceLaws
    from gads_conformance.sink.laws import SinkLaws as SinkLaws
    from gads_conformance.sink.optional_laws import AddressLaws as AddressLaws
    from gads_conformance.sink.optional_laws import JointSealLaws as JointSealLaws
    from gads_conformance.sink.optional_laws import SweepAhead as SweepAhead
    from gads_conformance.sink.optional_laws import SweepLaws as SweepLaws
    from gads_conformance.sink.prune_laws import PruneLaws as PruneLaws
    from gads_conformance.sink.suite import Backdoor as Backdoor
    from gads_conformance.sink.suite import SinkSuite as SinkSuite
    from gads_conformance.validator import ValidatorLaws as ValidatorLaws
    from gads_conformance.warehouse.laws import WarehouseLaws as WarehouseLaws
else:
    export_lazily(
        globals(),
        {
            ".accounts": "AccountDirectoryLaws",
            ".clock": "ClockLaws RunIdMakerLaws",
            ".law": "law laws_of",
            ".ledger.activity_laws": "ActivityLaws",
            ".ledger.expectation_laws": "AccountListLaws",
            ".ledger.laws": "LedgerLaws",
            ".ledger.standing_laws": "StandingLaws",
            ".report_source": "ReportSourceLaws",
            ".sink.laws": "SinkLaws",
            ".sink.optional_laws": "AddressLaws JointSealLaws SweepAhead SweepLaws",
            ".sink.prune_laws": "PruneLaws",
            ".sink.suite": "Backdoor SinkSuite",
            ".validator": "ValidatorLaws",
            ".warehouse.laws": "WarehouseLaws",
        },
    )
