"""The laws of the ledger's three ports in one class."""

from gads_conformance.ledger.control_laws import ControlLaws
from gads_conformance.ledger.erasure_laws import ErasureLaws
from gads_conformance.ledger.expectation_laws import ExpectationLaws
from gads_conformance.ledger.model_laws import ModelLaws
from gads_conformance.ledger.past_laws import PastLaws
from gads_conformance.ledger.process_laws import ProcessLaws
from gads_conformance.ledger.quota_laws import QuotaLaws
from gads_conformance.ledger.reader_laws import ReaderLaws
from gads_conformance.ledger.validator_laws import ValidatorLaws


class LedgerLaws(
    ReaderLaws,
    PastLaws,
    ValidatorLaws,
    ControlLaws,
    QuotaLaws,
    ExpectationLaws,
    ErasureLaws,
    ModelLaws,
    ProcessLaws,
):
    """Every law of `StateReader`, `ValidatorLedger` and `ControlPlaneLedger`.

    A subclass gives `ledger_url`, the URL of a ledger that does not exist yet. The adapter has to be installed, since
    other processes open the ledger by its URL.
    """
