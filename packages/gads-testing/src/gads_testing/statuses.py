"""Statuses for whatever shows one: all well, at work, in trouble with hostile texts, a large agency, no ledger."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from gads_domain.activity import AlertState, Heartbeat, Liveness, Round, Severity
from gads_domain.completeness import Answer
from gads_domain.gaps import NEVER_ATTEMPTED, NO_LONGER_KEPT, Gap, GapRange
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.quota import CallScope, Rest
from gads_domain.standing import GapGroup, ReportStanding
from gads_domain.state import PartitionStatus
from gads_status.attention import attention_of
from gads_status.status import (
    AccountsStanding,
    ApiStanding,
    BudgetStanding,
    DiskStanding,
    NextDue,
    ProcessStanding,
    Status,
    WarehouseStanding,
)

NOW = datetime(2024, 6, 3, 3, 12, tzinfo=UTC)
LAST = date(2024, 6, 1)
SHOES, HOSTILE = "1000000001", "1000000002"
HOSTILE_NAME = "<script>alert(1)</script>\x1b[31m\u202egnp.exe\nsecond line " + "W" * 3000
HOSTILE_REASON = "api_permanent: <img src=x onerror=alert(1)> \x1b]0;title\x07 \u2066{{ 7 * 7 }} " + "x" * 70_000


def beat(subcommand: str, pid: int, *, since: timedelta, ended: bool = False) -> Heartbeat:
    at = NOW - since
    began = at - timedelta(hours=30)
    process, command = f"etl-1:{pid}:x", f"gads-etl {subcommand} --config /srv/gads.toml"
    doing = "a round: 120 of 300 partitions"
    interval = timedelta(seconds=30)
    return Heartbeat(process, "etl-1", pid, command, "0.1.0", began, at, interval, doing, at, at if ended else None)


def report(name: str, accounts: int = 2, *, failed: int = 0, held: int = 0, pending: int = 0) -> ReportStanding:
    missing, expected = failed + held + pending, accounts * 90
    first_gap = LAST if missing else None
    up_to = LAST - timedelta(days=1) if missing else LAST
    good = expected - missing
    return ReportStanding(
        name, up_to, accounts, min(missing, accounts), expected, good, failed, held, pending, 2, first_gap
    )


def group(
    name: str, status: PartitionStatus, reason: str, code: str = "", accounts: tuple[str, ...] = (SHOES,), many: int = 1
) -> GapGroup:
    gaps = (Gap(PartitionKey(GOOGLE_ADS, account, name, LAST), status, reason) for account in accounts)
    examples = tuple(GapRange(gap, LAST) for gap in gaps)
    return GapGroup(
        name, status, reason, code, max(many, len(accounts)), max(many, len(accounts)), LAST, LAST, examples
    )


def _acted_on(status: Status) -> Status:
    return replace(status, attention=attention_of(status, config="my gads.toml", reach={}))


COMPLETE = Status(
    at=NOW,
    source=GOOGLE_ADS,
    ledger_id="5f2d",
    version="0.1.0",
    answer=Answer.COMPLETE,
    unknown="",
    attention=(),
    accounts=AccountsStanding(3, 2, 1, NOW - timedelta(hours=2)),
    reports=(report("campaign"), report("ad_group")),
    gaps=(),
    next_due=tuple(NextDue(name, date(2024, 6, 2), NOW + timedelta(hours=3), 2) for name in ("ad_group", "campaign")),
    budget=BudgetStanding(limit=15_000, spent=1_234, left=13_766, more_at=NOW, more=12, forecast=0, daily=12),
    api=ApiStanding("v26", date(2025, 6, 1), 363),
    disk=DiskStanding(1_200_000_000, 34_000_000_000, "", 5_000_000_000_000),
    warehouse=WarehouseStanding("duckdb:warehouse.duckdb", 1200, 0, NOW - timedelta(hours=2)),
    processes=(ProcessStanding(beat("serve", 4711, since=timedelta(seconds=12)), Liveness.ALIVE),),
    rounds=(
        Round(
            "etl-1:4711:x",
            "gads-etl serve",
            "20240603T020000000Z-00000000",
            NOW - timedelta(hours=1),
            300,
            NOW - timedelta(minutes=50),
            "done",
            300,
            280,
            number=120,
        ),
    ),
)
"""Nothing is missing, and a daemon is at work."""

NO_LEDGER = _acted_on(
    Status(
        NOW,
        GOOGLE_ADS,
        None,
        "0.1.0",
        Answer.UNKNOWN,
        "no list of accounts was ever drawn",
        (),
        AccountsStanding(unknown="no list of accounts was ever drawn"),
        (ReportStanding("campaign"),),
        (),
        (),
        BudgetStanding(unknown="no list of accounts was ever drawn"),
        ApiStanding("v99"),
        DiskStanding(ledger_unknown="sqlite: is no folder or file of this machine", sink_unknown="s3: is no folder"),
        activity_unknown="no process has put a heartbeat on record yet",
    )
)
"""Nothing was ever extracted."""

IN_TROUBLE = _acted_on(
    replace(
        COMPLETE,
        answer=Answer.INCOMPLETE,
        unknown="the list of accounts is 50 hours old",
        accounts=AccountsStanding(3, 2, 1, NOW - timedelta(hours=50), "the list of accounts is 50 hours old"),
        reports=tuple(
            replace(one, complete_up_to=None)
            for one in (
                report("campaign", failed=2, pending=3),
                report("ad_group", failed=1, held=1),
                report("keyword"),
            )
        ),
        gaps=(
            group("campaign", PartitionStatus.FAILED, HOSTILE_REASON, "api_permanent", (HOSTILE, SHOES)),
            group("ad_group", PartitionStatus.FAILED, "terminal; api_transient: 503", "api_transient"),
            group("ad_group", PartitionStatus.SUCCESS, "its rows vanished, and the run is held for a decision"),
            group("campaign", PartitionStatus.PENDING, NEVER_ATTEMPTED),
            group("campaign", PartitionStatus.PENDING, NO_LONGER_KEPT, many=2),
        ),
        budget=BudgetStanding(
            limit=100,
            spent=100,
            left=0,
            more_at=NOW + timedelta(hours=3),
            more=40,
            unknown="the list of accounts is 50 hours old",
            rests=(Rest(CallScope("default", SHOES), NOW + timedelta(hours=1), "the account's quota is used up"),),
        ),
        api=ApiStanding("v26", date(2024, 6, 8), 5),
        disk=DiskStanding(
            1_200_000_000, 120_000_000, "", 34_000_000_000, "", "the sink has none of the ledger's newest"
        ),
        warehouse=WarehouseStanding("duckdb:warehouse.duckdb", 1200, 77, NOW - timedelta(days=3)),
        processes=(
            ProcessStanding(beat("serve", 4711, since=timedelta(minutes=31)), Liveness.SILENT, lost=True),
            ProcessStanding(beat("run", 17, since=timedelta(days=1), ended=True), Liveness.ENDED),
        ),
        rounds=(
            Round(
                "etl-1:4711:x",
                "gads-etl serve",
                "r",
                NOW - timedelta(hours=1),
                300,
                NOW - timedelta(minutes=50),
                "source",
                120,
                100,
                3,
                message="the refresh token was revoked",
                number=120,
            ),
        ),
        alerts=(AlertState("deadline", "campaign", NOW - timedelta(hours=1), HOSTILE_REASON, Severity.CRITICAL),),
        names={SHOES: "Shoes and boots, the whole range", HOSTILE: HOSTILE_NAME},
    )
)
"""All that can be wrong is, and names and errors are hostile."""

LARGE = _acted_on(
    replace(
        COMPLETE,
        answer=Answer.INCOMPLETE,
        accounts=AccountsStanding(12_000, 10_000, 213, NOW - timedelta(hours=2)),
        reports=tuple(report(f"report_{n}", 10_000, failed=n % 7, pending=n % 5) for n in range(40)),
        gaps=tuple(
            group(
                f"report_{n % 40}", PartitionStatus.FAILED, f"api_{n // 40}: it failed", "api", (SHOES,), 200 - n // 40
            )
            for n in range(400)
        ),
        next_due=tuple(
            NextDue(f"report_{n}", date(2024, 6, 2), NOW + timedelta(minutes=30 * n), 10_000) for n in range(40)
        ),
        budget=replace(COMPLETE.budget, forecast=200, daily=120_000),
        processes=COMPLETE.processes * 20,
        rounds=COMPLETE.rounds * 10,
        alerts=tuple(
            AlertState("deadline", f"{to}: report_{n}", NOW, f"report_{n} is late", Severity.WARNING)
            for n in range(50)
            for to in ("mail", "chat")
        ),
    )
)
"""10,000 accounts and 40 reports, of which some fail for ten reasons."""
