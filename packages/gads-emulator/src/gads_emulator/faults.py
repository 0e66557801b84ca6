"""The faults of a server: a fault plan applied to the calls of a `Selection`."""

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from gads_emulator.api import Call, Selection
from gads_emulator.api_versions import METHODS, ApiVersion
from gads_emulator.failures import ApiFailureError, CutConnectionError, refusal
from gads_emulator.fault_plan import TOKEN, FaultPlan, FaultRule

_FROM = re.compile(r"\bFROM\s+(\w+)", re.IGNORECASE)


class Faults:
    """The faults of one server. Replacing `plan` restarts the counts. Safe for use by many threads."""

    def __init__(self, plan: FaultPlan | None = None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.plan = plan or FaultPlan()

    @property
    def plan(self) -> FaultPlan:
        """The current plan."""
        return self._plan

    @plan.setter
    def plan(self, plan: FaultPlan) -> None:
        with self._lock:
            self._plan = plan
            self._seen: Counter[Hashable] = Counter()
            self._struck: Counter[int] = Counter()
            self._operations: deque[datetime] = deque()

    def clear(self) -> None:
        """Remove all faults."""
        self.plan = FaultPlan()

    def struck(self) -> tuple[int, ...]:
        """Return the number of calls that each rule has struck."""
        with self._lock:
            return tuple(self._struck[index] for index in range(len(self._plan.rules)))

    def resume(self) -> None:
        """Let delays last again after `stop_waiting`."""
        self._stopping.clear()

    def stop_waiting(self) -> None:
        """End every delay at once, when the server stops."""
        self._stopping.set()

    def wrap(self, answer: Selection) -> Selection:
        """Return the selection with the faults of the current plan."""

        def served(call: Call) -> Iterator[bytes]:
            query = str(getattr(call.request, "query", ""))
            found = _FROM.search(query)
            striking = self._striking(call.customer_id, call.method, found[1] if found else "", query)
            self._spend(call)
            messages = answer(call)
            for rule in reversed(striking):
                messages = self._play(rule, call, messages)
            yield from messages

        return served

    def token_error(self) -> tuple[str, str] | None:
        """Count a call of the token endpoint; return its OAuth error and description, or None."""
        for rule in self._striking("", TOKEN, "", ""):
            self._stopping.wait(rule.delay)
            if rule.fails:
                return rule.oauth_error or "invalid_grant", rule.message or "Token has been expired or revoked."
        return None

    def _striking(self, customer_id: str, method: str, resource: str, query: str) -> list[FaultRule]:
        with self._lock:
            plan = self._plan
            striking = []
            for index, rule in enumerate(plan.rules):
                if not rule.matches(customer_id, method, resource):
                    continue
                counted = (index, customer_id if rule.each_customer else "")
                self._seen[counted] += 1
                chosen = True
                if rule.probability is not None:
                    asked = (index, customer_id, method, query)
                    self._seen[asked] += 1
                    chosen = _is_chosen(rule.probability, (plan.seed, *asked, self._seen[asked]))
                if chosen and _is_time(rule, self._seen[counted]):
                    self._struck[index] += 1
                    striking.append(rule)
            return striking

    def _spend(self, call: Call) -> None:
        budget = self._plan.operations_per_day
        if budget is None or str(getattr(call.request, "page_token", "")):
            return
        now = self._now().astimezone(UTC)
        with self._lock:
            while self._operations and self._operations[0] <= now - timedelta(hours=24):
                self._operations.popleft()
            if len(self._operations) < budget:
                self._operations.append(now)
                return
            free = self._operations[0] + timedelta(hours=24) if self._operations else now + timedelta(hours=24)
        seconds = int((free - now).total_seconds()) + 1
        raise replace(refusal("RESOURCE_EXHAUSTED", seconds=seconds), retry_delay=timedelta(seconds=seconds))

    def _play(self, rule: FaultRule, call: Call, messages: Iterator[bytes]) -> Iterator[bytes]:
        self._stopping.wait(rule.delay)
        streams = METHODS[call.method].streams
        if rule.drip_rows is not None and streams:
            messages = self._drip(call, messages, rule.drip_rows, rule.drip_delay)
        if not rule.fails:
            return messages
        if rule.mid_message:
            return _cut_midway(rule, messages)
        if not streams or (rule.after_rows is None and rule.after_pages is None):
            raise _failure(rule)
        return _cut_between(rule, call.version, messages)

    def _drip(self, call: Call, messages: Iterator[bytes], rows: int, seconds: float) -> Iterator[bytes]:
        for message in messages:
            for piece in split_message(call.version, message, rows):
                yield piece
                self._stopping.wait(seconds)


def split_message(version: ApiVersion, message: bytes, size: int) -> Iterator[bytes]:
    """Yield a message of a stream as messages of `size` rows; at least one."""
    response = version.stream_response.FromString(message)
    rows = list(response.results)
    for start in range(0, max(len(rows), 1), size):
        del response.results[:]
        response.results.extend(rows[start : start + size])
        yield response.SerializeToString()


def _is_time(rule: FaultRule, number: int) -> bool:
    return (
        (not rule.calls or number in rule.calls)
        and (rule.first is None or number <= rule.first)
        and (rule.every is None or number % rule.every == 0)
    )


def _is_chosen(probability: float, key: tuple[Hashable, ...]) -> bool:
    digest = blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest) < probability * 2**64


def _failure(rule: FaultRule) -> ApiFailureError:
    group, _, code = rule.error.partition(".")
    delay = None if rule.retry_delay is None else timedelta(seconds=rule.retry_delay)
    status = rule.status or ("" if group else "UNAVAILABLE")
    text = rule.message or "injected fault"
    return ApiFailureError(group, code, text, status, "", delay, rule.rate_scope, rule.rate_name)


def _cut_between(rule: FaultRule, version: ApiVersion, messages: Iterator[bytes]) -> Iterator[bytes]:
    rows_left, pages_left = rule.after_rows, rule.after_pages
    for message in messages:
        if pages_left == 0 or rows_left == 0:
            break
        if rows_left is not None:
            count = len(version.stream_response.FromString(message).results)
            if count > rows_left:
                yield next(split_message(version, message, rows_left))
                break
            rows_left -= count
        yield message
        if pages_left is not None:
            pages_left -= 1
    raise _failure(rule)


def _cut_midway(rule: FaultRule, messages: Iterator[bytes]) -> Iterator[bytes]:
    pages_left = rule.after_pages or 0
    for message in messages:
        if pages_left == 0:
            raise CutConnectionError(message)
        yield message
        pages_left -= 1
    raise CutConnectionError(b"")
