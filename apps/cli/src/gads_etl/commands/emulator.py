"""`gads-etl emulator`: a local Google Ads API."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gads_domain.errors import UsageError
from gads_etl.options import SinceOption, UntilOption
from gads_pipeline.work_request import require_order
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import print_note


class History(StrEnum):
    """How far back days are answered."""

    API = "api"
    UNLIMITED = "unlimited"


app = group_of_commands("A local Google Ads API for the official client.")


@app.command("serve")
def serve(
    config_dir: Annotated[
        Path, typer.Option("--config-dir", help="Gets google-ads.yaml and the CA certificate when it is ready.")
    ] = Path("emulator"),
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Serve the <resource>.jsonl files of this folder.")
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="Serve a synthetic agency.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the synthetic agency; the same seed gives the same rows.")
    ] = None,
    accounts: Annotated[int | None, typer.Option(min=1, help="Client accounts of the synthetic agency.")] = None,
    campaigns: Annotated[int | None, typer.Option(min=1, help="Campaigns an account.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    restated_for: Annotated[
        int | None, typer.Option(min=0, max=90, help="Days for which the conversions of a day go on growing.")
    ] = None,
    history: Annotated[
        History | None,
        typer.Option(
            help="Days that are too old for the API are refused as there, or answered. By default refused of a "
            "synthetic agency, answered of recorded rows."
        ),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", metavar="FILE", help="A fault plan, TOML or JSON; see the README.")
    ] = None,
    authority: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A certificate authority to keep and use again.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of gRPC; 0 takes a free one.")] = 0,
    rest_port: Annotated[int, typer.Option(min=0, max=65535, help="Of REST over http; 0 takes a free one.")] = 0,
    rest_tls_port: Annotated[int, typer.Option(min=0, max=65535, help="Of REST over https; 0 takes a free one.")] = 0,
) -> None:
    """Serve until Ctrl-C. The official client works with it unchanged."""
    from gads_emulator import ServeSettings, SyntheticSettings  # an extra
    from gads_emulator import serve as serve_until_signal

    require_order(since, until)
    wanted: dict[str, Any] = {"seed": seed, "accounts": accounts, "campaigns": campaigns, "restated_for": restated_for}
    wanted |= {"first": since, "last": until}
    keeps_everything = history is History.UNLIMITED or (history is None and data is not None)
    given = {name: value for name, value in wanted.items() if value is not None}
    if given and not synthetic:
        raise UsageError(
            "--seed, --accounts, --campaigns, --since, --until and --restated-for need --synthetic",
            hint="add --synthetic, or serve --data as it was recorded",
        )
    serve_until_signal(
        ServeSettings(
            config_dir,
            data=data,
            keeps_everything=keeps_everything,
            synthetic=SyntheticSettings(**given, keeps_everything=keeps_everything) if synthetic else None,
            host=host,
            port=port,
            rest_port=rest_port,
            rest_tls_port=rest_tls_port,
            authority=authority,
            faults=faults,
        ),
        print_note,
    )
