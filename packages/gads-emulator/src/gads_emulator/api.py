"""The API's behaviour, independent of the transport: a call in; encoded messages or an `ApiFailureError` out.

Transports (gRPC, REST) turn bytes into a `Call` and messages into their own form; faults wrap a `Selection`.
"""

import base64
import binascii
import hashlib
import json
import logging
import secrets
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

from gads_domain.errors import GadsError
from gads_emulator.agency import Account, Agency, ancestors
from gads_emulator.api_versions import ApiVersion, Method, load_version
from gads_emulator.evaluation import evaluate
from gads_emulator.failures import ApiFailureError, CutConnectionError, refusal
from gads_emulator.field_service import get_field, search_fields
from gads_emulator.page_cache import PageCache
from gads_emulator.page_encoder import PageEncoder
from gads_emulator.query_plan import Plan, make_plan
from gads_emulator.schema import load_schema
from gads_gaql.catalogue import versions

_log = logging.getLogger(__name__)

PAGE_ROWS = 10_000
"""Rows of a page; a caller of the API cannot choose it."""
DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
"""Bytes of encoded answers that are kept by default."""
TOKEN_PREFIX = "ya29.emulator-"
"""The start of every access token that the emulator's token endpoint gives."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a transport received it. `request` is a protobuf message of the version.

    `metadata` has lower-case keys, as gRPC has them. `request_id` is new for each call.
    """

    version: ApiVersion
    method: str
    """A key of `gads_emulator.api_versions.METHODS`."""
    request: Any
    metadata: Mapping[str, str]
    request_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @property
    def customer_id(self) -> str:
        """The customer that the call is about; empty when the method has no customer."""
        return str(getattr(self.request, "customer_id", ""))


Selection: TypeAlias = Callable[[Call], Iterator[bytes]]
"""From a call to its encoded messages: many for a stream, one otherwise. May raise `ApiFailureError` midway."""


@dataclass(frozen=True)
class Policy:
    """Which calls the API accepts."""

    require_oauth: bool = False
    """Whether a call without an access token of the emulator's token endpoint is refused."""
    refresh_tokens: frozenset[str] | None = None
    """The refresh tokens that the token endpoint accepts; None accepts any."""
    sunset_versions: frozenset[str] = frozenset()
    """Versions that are refused although the installed client has them."""


@dataclass(frozen=True)
class RowPage:
    """Encoded rows: `repeated GoogleAdsRow results = 1`, which every search response starts with."""

    encoded: bytes
    count: int


class Api:
    """Answers calls from an agency. Safe for use by many threads."""

    def __init__(
        self,
        agency: Agency,
        *,
        policy: Policy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache_bytes: int = DEFAULT_CACHE_BYTES,
    ) -> None:
        self._agency = agency
        self._policy = policy or Policy()
        self._now = now
        self._pages: PageCache[RowPage] = PageCache(cache_bytes, lambda page: len(page.encoded))
        self._methods: dict[str, Selection] = {
            "SearchStream": self._search_stream,
            "Search": self._search,
            "ListAccessibleCustomers": self._list_accessible_customers,
            "GetGoogleAdsField": self._get_field,
            "SearchGoogleAdsFields": self._search_fields,
        }

    def answer(self, call: Call) -> Iterator[bytes]:
        """Answer one call; this method is a `Selection`."""
        self._admit(call)
        yield from self._methods[call.method](call)

    def _admit(self, call: Call) -> None:
        policy = self._policy
        if call.version.name in policy.sunset_versions:
            raise refusal("UNSUPPORTED_VERSION", version=call.version.name)
        token = call.metadata.get("authorization", "")
        if (token or policy.require_oauth) and not token.startswith(f"Bearer {TOKEN_PREFIX}"):
            raise refusal("OAUTH_TOKEN_INVALID")

    def _account(self, call: Call) -> Account:
        """Return the account of the call's customer if the login may reach it."""
        customer_id = call.customer_id
        if not (customer_id.isascii() and customer_id.isdigit()):
            raise refusal("INVALID_CUSTOMER_ID", customer_id)
        accounts = self._agency.accounts
        account = accounts.get(customer_id)
        login = call.metadata.get("login-customer-id")
        if account is None or (login is not None and login not in accounts):
            raise refusal("USER_PERMISSION_DENIED")
        above = {*ancestors(accounts, customer_id), *account.reached_from}
        # Without a login customer, a user reaches only the accounts at the top.
        if login not in (customer_id, *above) and not (login is None and not above):
            raise refusal("USER_PERMISSION_DENIED")
        if account.status != "ENABLED":
            raise refusal("CUSTOMER_NOT_ENABLED")
        return account

    def _list_accessible_customers(self, call: Call) -> Iterator[bytes]:
        names = [f"customers/{a.customer_id}" for a in self._agency.accounts.values() if a.is_at_the_top]
        yield call.version.accessible_response(resource_names=names).SerializeToString()

    def _get_field(self, call: Call) -> Iterator[bytes]:
        yield get_field(call.version, call.request.resource_name).SerializeToString()

    def _search_fields(self, call: Call) -> Iterator[bytes]:
        request = call.request
        fields = search_fields(call.version, request.query)
        size = min(request.page_size or PAGE_ROWS, PAGE_ROWS)
        start = _read_page_token(request.page_token, call) if request.page_token else 0
        response = call.version.fields_response(results=fields[start : start + size], total_results_count=len(fields))
        if start + size < len(fields):
            response.next_page_token = _make_page_token(start + size, call)
        yield response.SerializeToString()

    def _search_stream(self, call: Call) -> Iterator[bytes]:
        account = self._account(call)
        plan = self._plan(call, account)
        envelope = call.version.stream_response(request_id=call.request_id)
        envelope.field_mask.paths.extend(plan.selected)
        tail = envelope.SerializeToString()
        sent = False
        for page in self._row_pages(call, account, plan):
            # Protobuf messages that are written one after the other are one message.
            yield page.encoded + tail
            sent = True
        if not sent:
            yield tail

    def _search(self, call: Call) -> Iterator[bytes]:
        account = self._account(call)
        request = call.request
        if request.page_size:
            raise refusal("PAGE_SIZE_NOT_SUPPORTED")
        plan = self._plan(call, account)
        response = call.version.search_response()
        if request.validate_only:
            yield response.SerializeToString()
            return
        number = _read_page_token(request.page_token, call) if request.page_token else 0
        response.field_mask.paths.extend(plan.selected)
        encoded, count, total = b"", 0, 0
        # All pages are made, so that the next call finds them in the cache.
        for index, page in enumerate(self._row_pages(call, account, plan)):
            encoded = page.encoded if index == number else encoded
            count, total = index + 1, total + page.count
        if number and number >= count:
            raise refusal("INVALID_PAGE_TOKEN", request.page_token)
        if number + 1 < count:
            response.next_page_token = _make_page_token(number + 1, call)
        if request.search_settings.return_total_results_count:
            response.total_results_count = total
        yield encoded + response.SerializeToString()

    def _plan(self, call: Call, account: Account) -> Plan:
        return make_plan(
            load_schema(call.version.name),
            call.request.query,
            manager=account.manager,
            today=self._today(account),
            keeps_everything=self._agency.keeps_everything,
        )

    def _today(self, account: Account) -> date:
        try:
            zone: tzinfo = zoneinfo.ZoneInfo(account.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = UTC  # a recorded account may have any text as its zone
        return self._now().astimezone(zone).date()

    def _row_pages(self, call: Call, account: Account, plan: Plan) -> Iterator[RowPage]:
        # A relative range means other days tomorrow, so the bounds are part of the key.
        text = call.request.query
        today = plan.request.today
        # Changes, too, exist only up to today.
        moving = self._agency.changes_with_time or "DURING" in text.upper() or "CHANGE_" in text.upper()
        bounds = plan.request.first, plan.request.last, today if moving else None
        key = call.version.name, account.customer_id, text, bounds
        return self._pages.through(key, lambda: self._make_pages(call, account, plan))

    def _make_pages(self, call: Call, account: Account, plan: Plan) -> Iterator[RowPage]:
        schema = load_schema(call.version.name)
        source = self._agency.rows(schema, account.customer_id, plan.request)
        rows = evaluate(plan, source, drop_inactive=self._agency.drops_rows_without_activity)
        encoder = _encoder(plan.columns)
        while page := list(islice(rows, PAGE_ROWS)):
            yield RowPage(encoder.encode(page), len(page))


_encoder = lru_cache(maxsize=256)(PageEncoder)


def _query_digest(call: Call) -> str:
    return hashlib.sha256(f"{call.customer_id}\n{call.request.query}".encode()).hexdigest()[:16]


def _make_page_token(number: int, call: Call) -> str:
    return base64.urlsafe_b64encode(json.dumps([number, _query_digest(call)]).encode()).decode()


def _read_page_token(token: str, call: Call) -> int:
    """Read a page token, which belongs to the query and the customer it was made for."""
    try:
        number, digest = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, binascii.Error):
        raise refusal("INVALID_PAGE_TOKEN", token) from None
    if digest != _query_digest(call) or not isinstance(number, int) or number < 1:
        raise refusal("INVALID_PAGE_TOKEN", token)
    return number


def start_call(
    answer: Selection, version_name: str, method: Method, metadata: Mapping[str, str], read: Callable[[Any], Any]
) -> tuple[Call, Iterator[bytes]]:
    """Return a transport's call and its encoded responses, which raise `ApiFailureError` or `CutConnectionError` only.

    `read` makes the request from its class. A version that is not installed is refused in the form of the newest.
    """
    served = version_name in versions()
    call = Call(load_version(version_name if served else versions()[-1]), method.name, None, metadata)

    def responses() -> Iterator[bytes]:
        if not served:
            raise refusal("UNSUPPORTED_VERSION", version=version_name)
        try:
            yield from answer(replace(call, request=read(getattr(call.version, method.request))))
        except (ApiFailureError, CutConnectionError):
            raise
        except GadsError as error:
            _log.error("%s", error)
            raise refusal("INTERNAL_ERROR", message=error.message) from None
        except Exception:
            _log.exception("%s failed", method.name)
            raise refusal("INTERNAL_ERROR", message="An internal error has occurred.") from None

    return call, responses()
