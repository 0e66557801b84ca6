"""A local Google Ads API: `EmulatorServer` serves an `Agency`, such as `SyntheticAgency` or `RecordedAgency`.

A name is imported when it is first used, so that importing the package loads neither google-ads nor gRPC.
"""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_emulator.agency import Account as Account
    from gads_emulator.agency import Agency as Agency
    from gads_emulator.agency import RowRequest as RowRequest
    from gads_emulator.agency import Rows as Rows
    from gads_emulator.api import Call as Call
    from gads_emulator.api import Policy as Policy
    from gads_emulator.api import Selection as Selection
    from gads_emulator.certificates import Authority as Authority
    from gads_emulator.client_configuration import CA_NAME as CA_NAME
    from gads_emulator.client_configuration import CA_VARIABLE as CA_VARIABLE
    from gads_emulator.client_configuration import trust_process_authority as trust_process_authority
    from gads_emulator.emulator_process import ServeSettings as ServeSettings
    from gads_emulator.emulator_process import serve as serve
    from gads_emulator.failures import ApiFailureError as ApiFailureError
    from gads_emulator.fault_plan import FaultPlan as FaultPlan
    from gads_emulator.fault_plan import FaultRule as FaultRule
    from gads_emulator.recorded_agency import RecordedAgency as RecordedAgency
    from gads_emulator.server import EmulatorServer as EmulatorServer
    from gads_emulator.synthetic.accounts import SyntheticSettings as SyntheticSettings
    from gads_emulator.synthetic.agency import SyntheticAgency as SyntheticAgency
else:
    export_lazily(
        globals(),
        {
            ".agency": "Account Agency RowRequest Rows",
            ".api": "Call Policy Selection",
            ".certificates": "Authority",
            ".client_configuration": "CA_NAME CA_VARIABLE trust_process_authority",
            ".emulator_process": "ServeSettings serve",
            ".failures": "ApiFailureError",
            ".fault_plan": "FaultPlan FaultRule",
            ".recorded_agency": "RecordedAgency",
            ".server": "EmulatorServer",
            ".synthetic.accounts": "SyntheticSettings",
            ".synthetic.agency": "SyntheticAgency",
        },
    )
