"""Holds gads-consumer to contracts/consumer/v1: changes and completeness."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gads_consumer.changes import ChangeKind
from gads_consumer.consumer import Consumer
from gads_consumer.errors import (
    AccountErasedError,
    IncompleteError,
    PastUnknownError,
)
from gads_domain.completeness import Answer, Freshness
from gads_domain.errors import InvalidValueError
from gads_domain.gaps import Gap
from gads_domain.state import OperatorAct, PartitionStatus
from gads_testing.consumer_contract import SCHEMAS, apply_changes, day, write_history
from gads_testing.local_deployment import (
    LocalDeployment,
    key_of,
    run_of,
)

# Changes


def test_c42_an_erased_account_is_in_no_answer_but_the_feed(
    deployment: LocalDeployment, consumer: Consumer, tmp_path: Path
) -> None:
    deployment.list_accounts(1, 2)
    write_history(deployment)
    cursors = [change.cursor for change in consumer.changes()]
    position = consumer.snapshot("campaign").position
    mine = {one.key: one for one in consumer.snapshot("campaign").partitions}
    consumer.snapshot("campaign").save(tmp_path / "both.json")
    consumer.snapshot("campaign", customers="2").save(tmp_path / "other.json")
    deployment.erase(1)
    for as_of in (None, position, cursors[0]):
        left = {one.key.customer_id for one in consumer.snapshot("campaign", as_of=as_of).partitions}
        assert left <= {"2"}
    for named in (
        partial(consumer.snapshot, "campaign", customers="1"),
        partial(consumer.snapshot, "campaign", customers=["2", "1"], as_of=position),
        partial(consumer.gaps, "campaign", customers="1"),
        partial(consumer.ready, "campaign", customers="1", day=day(0)),
        partial(consumer.watermark, "campaign", customers="1"),
        partial(consumer.load, tmp_path / "both.json"),
    ):
        with pytest.raises(AccountErasedError, match="account 1 was erased") as error:
            named()
        assert (error.value.code, error.value.erased_at is None) == ("account_erased", False)
    assert consumer.load(tmp_path / "other.json").to_table().num_rows == 3
    assert {gap.key.customer_id for gap in consumer.gaps("campaign", since=day(0), until=day(1))} == {"2"}
    changes = list(consumer.changes(after=cursors[-1]))
    assert {(one.kind, one.key.customer_id) for one in changes} == {(ChangeKind.REMOVED, "1")}
    now = {one.key: one for one in consumer.snapshot("campaign").partitions}
    assert apply_changes(changes, mine) == apply_changes(list(consumer.changes()), {}) == now
    for cursor in cursors:
        rest = consumer.changes(after=cursor)
        assert [one for one in rest if one.kind is not ChangeKind.REMOVED and one.key.customer_id == "1"] == []
        assert rest.cursor == changes[-1].cursor


def test_c19_the_feed_holds_every_change_of_authority(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1)
    deployment.seal_invalid(key_of(1, 1), 1)
    deployment.make_authoritative(key_of(1, 0), 2, 4)
    deployment.seal_invalid(key_of(1, 0), 3)
    deployment.control_plane.retry([key_of(1, 1)], OperatorAct(deployment.clock.now(), "me", "retry", "again"))
    deployment.make_authoritative(key_of(1, 1), 4)
    deployment.damage(key_of(1, 1), 4)
    deployment.make_authoritative(key_of(2, 0), 5)
    found = [
        (change.kind, change.key, change.previous_run_id, change.partition and change.partition.run_id)
        for change in consumer.changes()
    ]
    assert found == [
        (ChangeKind.ADDED, key_of(1, 0), None, run_of(1)),
        (ChangeKind.RESTATED, key_of(1, 0), run_of(1), run_of(2)),
        (ChangeKind.ADDED, key_of(1, 1), None, run_of(4)),
        (ChangeKind.REMOVED, key_of(1, 1), run_of(4), None),
        (ChangeKind.ADDED, key_of(2, 0), None, run_of(5)),
    ]
    changes = [entry for entry in deployment.ledger.authority_changes() if entry.changes_authority]
    assert [(c.position, c.at) for c in consumer.changes()] == [(e.sequence, e.at) for e in changes]
    assert [c.key for c in consumer.changes(customers="2")] == [key_of(2, 0)]
    assert list(consumer.changes(customers="7")) == []
    validator = Draft202012Validator(SCHEMAS["change"])
    for change in consumer.changes():
        assert [error.message for error in validator.iter_errors(json.loads(json.dumps(change.to_record())))] == []


def test_c20_the_feed_goes_on_from_every_cursor(
    deployment: LocalDeployment, consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_history(deployment)
    monkeypatch.setattr("gads_consumer.changes.PAGE", 2)
    whole = list(consumer.changes())
    feed = consumer.changes()
    assert feed.cursor.startswith("v1:0:")
    for number, change in enumerate(whole):
        rest = list(consumer.changes(after=feed.cursor))
        assert rest == whole[number:]
        assert next(feed) == change
        assert feed.cursor == change.cursor
        assert list(consumer.changes(after=change.cursor)) == whole[number + 1 :]
    assert list(feed) == []
    assert feed.cursor == consumer.cursor()
    assert list(consumer.changes(after=feed.cursor)) == []
    # What is of no interest is not looked at again.
    none = consumer.changes(customers="777")
    assert list(none) == []
    assert none.cursor == consumer.cursor()
    deployment.make_authoritative(key_of(1, 9), 9)
    assert [change.key for change in consumer.changes(after=feed.cursor)] == [key_of(1, 9)]


def test_c20_a_feed_ends_where_the_log_ended_when_it_was_asked(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative(range(2))
    feed = consumer.changes()
    next(feed)
    deployment.make_days_authoritative(range(2, 4))
    assert [change.key for change in feed] == [key_of(1, 1)]
    assert [change.key for change in consumer.changes(after=feed.cursor)] == [key_of(1, 2), key_of(1, 3)]
    unread = consumer.changes()
    deployment.make_days_authoritative(range(4, 6))
    assert [change.key for change in unread] == [key_of(1, number) for number in range(4)]


def test_c21_applying_changes_ends_in_a_fresh_snapshot(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 9), 1)
    starts = [consumer.snapshot("campaign", as_of=0)]
    starts.append(consumer.snapshot("campaign"))
    write_history(deployment)
    starts.append(consumer.snapshot("campaign", as_of=4))
    fresh = {one.key: one for one in consumer.snapshot("campaign").partitions}
    for start in starts:
        changes = list(consumer.changes(after=start.cursor, reports="campaign"))
        begun = {one.key: one for one in start.partitions}
        once = apply_changes(changes, begun)
        assert once == fresh
        assert apply_changes(changes, once) == fresh
        delta = consumer.delta("campaign", after=start.cursor)
        stepped = {key: one for key, one in begun.items() if key not in delta.replaced}
        assert stepped | {one.key: one for one in delta.snapshot.partitions} == fresh
        assert set(delta.removed) == set(delta.replaced) - {one.key for one in delta.snapshot.partitions}
        assert delta.cursor == consumer.cursor()
        # What did not change is not missing from what did.
        assert delta.snapshot.missing == ()
    everything = consumer.delta("campaign")
    assert {one.key: one for one in everything.snapshot.partitions} == fresh


def test_c22_a_foreign_or_rolled_back_cursor_is_an_error(deployment: LocalDeployment, tmp_path: Path) -> None:
    deployment.make_days_authoritative(range(2))
    other = LocalDeployment(tmp_path / "other")
    other.make_days_authoritative(range(5))
    foreign = other.consumer().cursor()
    other.close()
    backup = {path.name: path.read_bytes() for path in (tmp_path / "state").iterdir()}
    deployment.make_days_authoritative(range(2, 4))
    with deployment.consumer() as consumer:
        late = consumer.cursor()
        early = consumer.snapshot("campaign", as_of=1).cursor
        with pytest.raises(PastUnknownError, match="is of the ledger"):
            consumer.changes(after=foreign)
    deployment.close()
    for path in (tmp_path / "state").iterdir():
        path.unlink()
    for name, data in backup.items():
        (tmp_path / "state" / name).write_bytes(data)
    restored = LocalDeployment(tmp_path)
    with restored.consumer() as consumer:
        with pytest.raises(PastUnknownError, match="has no position 4"):
            consumer.changes(after=late)
        restored.make_authoritative(key_of(5, 0), 7)
        restored.make_authoritative(key_of(5, 1), 7)
        for ask in (lambda: consumer.changes(after=late), lambda: consumer.snapshot("campaign", as_of=late)):
            with pytest.raises(PastUnknownError, match="rolled back"):
                ask()
        assert len(list(consumer.changes(after=early))) == 3
        beyond = late.replace(f":{late.split(':')[1]}:", f":{10**30}:")
        with pytest.raises(PastUnknownError, match="has no position 1000"):
            consumer.changes(after=beyond)
        for wrong in ("", "4", late.upper(), late[3:], 4):
            with pytest.raises(InvalidValueError):
                consumer.changes(after=wrong)  # type: ignore[arg-type]  # one of them on purpose
    restored.close()


# Completeness


def test_c23_gaps_are_what_is_expected_and_not_authoritative(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative([0, 1, 4])
    deployment.seal_invalid(key_of(1, 2), 2)
    deployment.report_unsealed(key_of(1, 3), 2)
    deployment.seal_invalid(key_of(1, 1), 9)
    deployment.control_plane.retry([key_of(1, 3)], OperatorAct(deployment.clock.now(), "me", "retry", "again"))
    deployment.make_authoritative(key_of(1, 0, "keyword"), 1)
    gaps = consumer.gaps("campaign", since=day(0), until="2024-06-06", customers=["2", "1"])
    assert [(gap.customer_id, gap.logical_date, gap.status) for gap in gaps] == [
        ("1", day(2), PartitionStatus.FAILED),
        ("1", day(3), PartitionStatus.PENDING),
        ("1", day(5), PartitionStatus.PENDING),
        *(("2", day(number), PartitionStatus.PENDING) for number in range(6)),
    ]
    assert "record_count" in gaps[0].reason
    assert gaps[1].reason == "api_transient: the API was down"
    assert {gap.reason for gap in gaps[2:]} == {"never asked for"}
    both = consumer.gaps(["keyword", "campaign"], since=day(0), until=day(1), customers="1")
    assert [(gap.report, gap.logical_date) for gap in both] == [("keyword", day(1))]
    assert consumer.gaps("campaign", since=day(0), until=day(1), customers="1") == []


def test_c24_the_watermark_is_the_end_of_what_is_unbroken(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative([2, 3, 4, 6])
    deployment.make_days_authoritative([4, 5, 6, 7], customer=2)
    deployment.seal_invalid(key_of(3, 0), 1)
    deployment.make_days_authoritative([1], customer=3)
    assert consumer.watermark("campaign", customers="1") == day(4)
    assert consumer.watermark("campaign", customers="2") == day(7)
    assert consumer.watermark("campaign", customers=["1", "2"]) == day(4)
    assert consumer.watermark("campaign", customers="3") is None
    assert consumer.watermark("campaign", customers="3", since=day(1)) == day(1)
    assert consumer.watermark("campaign", customers=["1", "99"]) is None
    assert consumer.watermark("campaign", customers="1", since=day(2)) == day(4)
    assert consumer.watermark("campaign", customers="1", since=day(3)) == day(4)
    assert consumer.watermark("campaign", customers="1", since=day(1)) is None
    assert consumer.watermark("campaign", customers="1", since=day(5)) is None
    assert consumer.watermark("campaign", customers="1", since=day(6)) == day(6)
    then = consumer.snapshot("campaign").position
    deployment.make_days_authoritative([5])
    assert consumer.watermark("campaign", customers="1") == day(6)
    assert consumer.watermark("campaign", customers="1", as_of=then) == day(4)


def test_c25_readiness_is_of_one_position(deployment: LocalDeployment, consumer: Consumer) -> None:
    for customer in (1, 2):
        deployment.make_days_authoritative(range(3), customer=customer)
    answer = consumer.ready("campaign", day=day(2), customers=["1", "2"])
    assert answer
    assert answer.gaps == ()
    assert answer.watermarks == {"campaign": day(2)}
    deployment.list_accounts(1, 2)
    deployment.damage(key_of(2, 2), 1)
    pinned = consumer.snapshot("campaign", since=answer.since, until=answer.day, as_of=answer.position, complete=True)
    assert len(pinned.partitions) == 2
    assert consumer.snapshot("campaign", as_of=answer.cursor).position == answer.position
    now = consumer.ready("campaign", day=day(2), customers=["1", "2"])
    assert not now
    assert [gap.key for gap in now.gaps] == [key_of(2, 2)]
    assert now.watermarks == {"campaign": day(1)}
    assert "2024-06-03 is failed" in str(now)
    assert consumer.ready("campaign", day=day(1), since=day(0), customers=["1", "2"])
    deployment.make_authoritative(key_of(1, 2, "keyword"), 1)
    assert not consumer.ready(["campaign", "keyword"], day=day(1), customers="1")
    assert consumer.ready(["campaign", "keyword"], day=day(2), customers="1")


def test_c26_what_is_missing_is_listed_and_can_be_required_to_be_nothing(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_days_authoritative([1, 3])
    deployment.seal_invalid(key_of(1, 2), 1)
    snapshot = consumer.snapshot("campaign", since=day(0), until=day(3), customers=["1", "2"])
    pending, failed = PartitionStatus.PENDING, PartitionStatus.FAILED
    assert snapshot.missing == (
        Gap(key_of(1, 0), pending, "never attempted"),
        Gap(key_of(1, 2), failed, "failed"),
        *(Gap(key_of(2, number), pending, "never attempted") for number in range(4)),
    )
    assert consumer.snapshot("campaign").missing == (Gap(key_of(1, 2), failed, "failed"),)
    assert [gap.key.customer_id for gap in consumer.snapshot("campaign", customers=["1", "7"]).missing] == ["1", *"777"]
    with pytest.raises(IncompleteError, match=r"6 partitions .*2024-06-01 is pending"):
        consumer.snapshot("campaign", since=day(0), until=day(3), customers=["1", "2"], complete=True)
    assert len(consumer.snapshot("campaign", since=day(3), until=day(3), customers="1", complete=True).partitions) == 1


def test_c26_what_is_required_is_not_nothing_and_of_no_fewer_accounts(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_days_authoritative([0, 1])
    deployment.make_days_authoritative([0], customer=2)
    deployment.list_accounts(1, 2)
    nothing: list[dict[str, Any]] = [
        {"customers": "9"},
        {"customers": "9", "since": day(0)},
        {"since": day(5)},
        {"since": day(5), "until": day(6)},
        {"as_of": 0},
        {"as_of": "2000-01-01T00:00:00Z"},
    ]
    for asked in nothing:
        with pytest.raises(IncompleteError):
            consumer.snapshot("campaign", complete=True, **asked)
        assert consumer.snapshot("campaign", **asked).partitions == ()
    # The second account was never attempted for this day, and so has no row there.
    with pytest.raises(IncompleteError, match="campaign of 2 on 2024-06-02 is pending"):
        consumer.snapshot("campaign", since=day(1), until=day(1), complete=True)
    assert len(consumer.snapshot("campaign", since=day(0), until=day(0), complete=True).partitions) == 2
    assert len(consumer.snapshot("campaign", since=day(1), until=day(1), customers="1", complete=True).partitions) == 1


def test_c26_without_a_list_of_accounts_nothing_is_complete(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative([0])
    with pytest.raises(IncompleteError, match="no list of accounts was ever drawn"):
        consumer.snapshot("campaign", since=day(0), until=day(0), complete=True)
    assert consumer.snapshot("campaign", since=day(0), until=day(0), customers="1", complete=True).missing == ()
    deployment.list_accounts(1)
    assert consumer.snapshot("campaign", since=day(0), until=day(0), complete=True).missing == ()
    with (
        deployment.consumer(clock=deployment.clock, freshness=Freshness(accounts_max_age=timedelta(0))) as strict,
        pytest.raises(IncompleteError, match="the list of accounts is 0 hours old"),
    ):
        strict.snapshot("campaign", since=day(0), until=day(0), complete=True)


def test_c26_an_account_that_never_ran_is_missing_and_one_that_left_before_is_not(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_days_authoritative([0, 1])
    deployment.list_accounts(1, 2)
    with pytest.raises(IncompleteError, match="campaign of 2 on 2024-06-01 is pending"):
        consumer.snapshot("campaign", since=day(0), until=day(0), complete=True)
    deployment.list_accounts(1)
    left = deployment.clock.now().date()
    deployment.make_days_authoritative([(left - day(0)).days + 1])
    after = left + timedelta(days=1)
    assert consumer.snapshot("campaign", since=after, until=after, complete=True).missing == ()


def test_c35_what_is_on_record_is_expected(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative([0, 1])
    deployment.list_accounts(1, 2)
    never = consumer.gaps("campaign", since=day(-2), until=day(1))
    assert [(gap.customer_id, gap.logical_date, gap.reason) for gap in never] == [
        *(("1", day(number), "never asked for") for number in (-2, -1)),
        *(("2", day(number), "never asked for") for number in (-2, -1)),
        *(("2", day(number), "never attempted") for number in (0, 1)),
    ]
    assert consumer.gaps("campaign", until=day(1)) == [gap for gap in never if gap.reason == "never attempted"]
    assert consumer.gaps("campaign", until=day(1), customers="1") == []
    last_due = (deployment.clock.now() - Freshness().due).date() - timedelta(days=1)
    assert max(gap.logical_date for gap in consumer.gaps("campaign")) == last_due
    deployment.list_accounts(1)
    left = deployment.clock.now().date()
    deployment.clock.moment += timedelta(days=1)
    gaps = consumer.gaps("campaign", since=left - timedelta(days=1), until=left + timedelta(days=1))
    assert [gap.logical_date for gap in gaps if gap.customer_id == "2"] == [left - timedelta(days=1)]


def test_c36_what_is_unknown_is_not_complete(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_days_authoritative([0])

    def require_unknown(why: str, consumer: Consumer = consumer) -> None:
        answer = consumer.ready("campaign", since=day(0), day=day(0))
        assert (answer.answer, bool(answer)) == (Answer.UNKNOWN, False)
        assert why in answer.completeness.unknown
        assert why in str(answer)
        assert consumer.watermark("campaign") is None
        for ask in (consumer.gaps, partial(consumer.snapshot, complete=True)):
            with pytest.raises(IncompleteError, match=why):
                ask("campaign", since=day(0), until=day(0))

    require_unknown("no list of accounts was ever drawn")
    assert consumer.ready("campaign", day=day(0), customers="1").answer is Answer.COMPLETE
    deployment.list_accounts()
    require_unknown("selects none")
    deployment.list_accounts(1)
    assert consumer.ready("campaign", day=day(0)).answer is Answer.COMPLETE
    deployment.make_authoritative(key_of(1, 0, "keyword"), 1)
    unlisted = consumer.ready("keyword")
    assert (unlisted.answer, unlisted.watermarks) == (Answer.UNKNOWN, {"keyword": None})
    assert "keyword of 1" in str(unlisted)
    with deployment.consumer(clock=deployment.clock, freshness=Freshness(accounts_max_age=timedelta(0))) as strict:
        require_unknown("the list of accounts is 0 hours old", strict)


def test_c37_a_day_that_is_not_due_is_no_gap_and_not_ready(deployment: LocalDeployment, consumer: Consumer) -> None:
    zones = {1: "Pacific/Auckland", 2: "Europe/Berlin", 3: "America/Los_Angeles"}
    deployment.clock.moment = datetime(2024, 6, 10, 8, tzinfo=UTC)  # 20:00, 10:00 and 1:00 of the 10th
    deployment.list_accounts(*zones, zones=zones)
    for customer in zones:
        deployment.make_days_authoritative(range(8), customer=customer)
    deployment.make_authoritative(key_of(2, 8), 90)
    asked: dict[str, Any] = {"since": day(0), "day": day(8)}
    answer = consumer.ready("campaign", **asked)
    assert ([gap.key for gap in answer.gaps], answer.completeness.not_due) == ([key_of(1, 8)], 1)
    deployment.make_authoritative(key_of(1, 8), 91)
    answer = consumer.ready("campaign", **asked)
    assert (answer.answer, answer.completeness.not_due, bool(answer)) == (Answer.COMPLETE, 1, False)
    assert "not over or not due yet" in str(answer)
    assert consumer.gaps("campaign", since=day(0), until=day(8)) == []
    assert consumer.ready("campaign")
    with pytest.raises(IncompleteError, match="1 partition is not over or not due yet"):
        consumer.snapshot("campaign", since=day(0), until=day(8), complete=True)
    deployment.make_authoritative(key_of(3, 8), 92)
    assert consumer.ready("campaign", **asked)


def test_c38_the_watermark_goes_by_each_accounts_own_last_day(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.list_accounts(1, 2, 3)
    for customer, last in ((1, 5), (2, 3), (3, 1)):
        deployment.make_days_authoritative(range(last + 1), customer=customer)
    assert consumer.watermark("campaign") == consumer.watermark("campaign", since=day(0)) == day(1)
    left = (deployment.clock.now().date() - day(0)).days
    deployment.make_days_authoritative(range(2, left + 1), customer=3)
    deployment.list_accounts(1, 2)
    assert consumer.watermark("campaign") == day(3)
    assert consumer.watermark("campaign", customers="3") == day(left)
    deployment.list_accounts(1, 2, 4)
    assert consumer.watermark("campaign") is None
