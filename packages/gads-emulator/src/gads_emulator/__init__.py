"""A local Google Ads API: `EmulatorServer` serves an `Agency`, such as `SyntheticAgency` or `RecordedAgency`.

A name is imported when it is first used, so that importing the package loads neither google-ads nor gRPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gads_emulator.agency import Account, Agency, RowRequest, Rows
    from gads_emulator.api import Call, Policy, Selection
    from gads_emulator.certificates import Authority
    from gads_emulator.client_configuration import CA_NAME, CA_VARIABLE, trust_process_authority
    from gads_emulator.emulator_process import ServeSettings, serve
    from gads_emulator.failures import ApiFailureError
    from gads_emulator.fault_plan import FaultPlan, FaultRule
    from gads_emulator.recorded_agency import RecordedAgency
    from gads_emulator.server import EmulatorServer
    from gads_emulator.synthetic.accounts import SyntheticSettings
    from gads_emulator.synthetic.agency import SyntheticAgency

_MODULES = {
    "agency": ("Account", "Agency", "RowRequest", "Rows"),
    "api": ("Call", "Policy", "Selection"),
    "certificates": ("Authority",),
    "client_configuration": ("CA_NAME", "CA_VARIABLE", "trust_process_authority"),
    "emulator_process": ("ServeSettings", "serve"),
    "failures": ("ApiFailureError",),
    "fault_plan": ("FaultPlan", "FaultRule"),
    "recorded_agency": ("RecordedAgency",),
    "server": ("EmulatorServer",),
    "synthetic.accounts": ("SyntheticSettings",),
    "synthetic.agency": ("SyntheticAgency",),
}
__all__ = [
    "CA_NAME",
    "CA_VARIABLE",
    "Account",
    "Agency",
    "ApiFailureError",
    "Authority",
    "Call",
    "EmulatorServer",
    "FaultPlan",
    "FaultRule",
    "Policy",
    "RecordedAgency",
    "RowRequest",
    "Rows",
    "Selection",
    "ServeSettings",
    "SyntheticAgency",
    "SyntheticSettings",
    "serve",
    "trust_process_authority",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
