"""Each hint and each of its alternatives is followed: every way ends at a valid report, and none in a circle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from gads_domain.errors import GadsError
from gads_gaql.catalogue import latest, load
from gads_reports.definition_file import read_text
from gads_reports.description import problems

FIELDS = {
    "campaign": ("campaign.id", "metrics.clicks"),
    "label": ("label.id", "label.name"),
    "change_event": ("change_event.resource_name", "change_event.user_email"),
    "change_status": ("change_status.resource_name",),
    "click_view": ("click_view.gclid",),
    "call_view": ("call_view.resource_name",),
}
MOST_STEPS = 9


@dataclass(frozen=True)
class Text:
    """A report's text in its parts; without a `header` it is a query alone."""

    header: tuple[tuple[str, str], ...]
    fields: tuple[str, ...]
    resource: str
    where: str = ""
    limit: str = ""

    def __str__(self) -> str:
        header = "".join(f"-- {key}: {value}\n" for key, value in self.header)
        return f"{header}SELECT {', '.join(self.fields)}\nFROM {self.resource}\n{self.where}\n{self.limit}\n"

    def hint(self) -> str | None:
        """The first hint that this text gets; None if it is a valid report."""
        try:
            found = problems(read_text("mine", str(self), "mine.gaql"), load(latest()))
        except GadsError as error:
            return f"{error.message}\n{error.hint}"
        return f"{found[0]}\n{found[0].hint}" if found else None

    def wearing(self, **keys: str) -> Text:
        known = dict(self.header) or {"title": "Mine", "grain": self.fields[0], "schema_version": "1"}
        if keys.get("kind") != "event":
            known = {key: value for key, value in known.items() if key not in ("date_field", "row_limit")}
        return replace(self, header=tuple((known | keys).items()))

    def selecting(self, field: str) -> Text:
        grain = dict(self.header).get("grain", "")
        found = replace(self, fields=tuple(dict.fromkeys((*self.fields, field))))
        if not self.header or field in grain or not field.startswith("segments."):
            return found
        return replace(found, header=tuple(({**dict(found.header), "grain": f"{grain}, {field}"}).items()))

    def without(self, field: str) -> Text:
        where = "" if field in self.where else self.where
        return replace(self, fields=tuple(one for one in self.fields if one != field), where=where)


def followed(text: Text, said: str) -> Iterator[Text]:
    """What becomes of the text by each alternative of its hint."""
    message, _, hint = said.partition("\n")
    for way in hint.split(", or "):
        kind = re.search(r"-- kind: (\w+)", way)
        time = re.search(r"-- date_field: ([a-z_.]+)", way)
        limit = re.search(r"-- row_limit: ([0-9]+)", way)
        field = re.search(r"(?:add|select|remove) ([a-z_]+\.[a-z_.]+)", way)
        if kind:
            changed = text.wearing(kind=kind[1], **({"date_field": time[1]} if time else {}))
            yield changed.selecting(field[1]) if field else changed
        elif time:
            yield text.wearing(kind="event", date_field=time[1].replace("change_event", text.resource))
        elif limit:
            yield text.wearing(kind="event", row_limit=limit[1])
        elif name := re.search(r"remove it from the grain", way):
            name = re.search(r"([a-z_.]+) is in the grain", message)
            assert name, said
            grain = [one for one in dict(text.header)["grain"].split(", ") if one != name[1]]
            yield text.wearing(grain=", ".join(grain), kind=dict(text.header)["kind"])
        elif added := re.search(r"add ([a-z_.]+) to the grain", way):
            known = dict(text.header)
            yield text.wearing(grain=f"{known['grain']}, {added[1]}", kind=known["kind"])
        elif field:
            yield text.without(field[1]) if way.startswith(("remove", "its rows")) else text.selecting(field[1])
        elif "LIMIT" in message and way.startswith("remove it"):
            yield replace(text, limit="")
        elif way.startswith("end the query with LIMIT"):
            yield replace(text, limit="LIMIT 10000")
        elif way.startswith("remove the condition"):
            yield replace(text, where="")
        elif way.startswith("add a condition such as"):
            yield replace(text, where="WHERE " + way.removeprefix("add a condition such as ").partition(";")[0])
        elif way.startswith("remove it: a"):
            yield text.wearing(kind=dict(text.header)["kind"])
        else:
            raise AssertionError(f"no one can follow: {said}")


def walked(text: Text, before: tuple[Text, ...] = ()) -> None:
    said = text.hint()
    if said is None:
        return
    way = "\n---\n".join(f"{one}{one.hint()}" for one in (*before, text))
    assert text not in before, f"a circle:\n{way}"
    assert len(before) < MOST_STEPS, f"no end:\n{way}"
    for changed in followed(text, said):
        walked(changed, (*before, text))


@pytest.mark.parametrize("resource", FIELDS)
@pytest.mark.parametrize("kind", ["", "daily", "snapshot", "event"])
def test_every_hint_leads_to_a_report(resource: str, kind: str) -> None:
    for day, in_grain, where, limit in product((False, True), (False, True), (False, True), (False, True)):
        text = Text((), FIELDS[resource], resource)
        if kind:
            text = text.wearing(kind=kind, **({"date_field": f"{resource}.resource_name"} if kind == "event" else {}))
        if in_grain and kind:
            text = text.wearing(**{**dict(text.header), "grain": f"{text.fields[0]}, segments.date"})
        text = text.selecting("segments.date") if day else text
        text = replace(text, where="WHERE segments.date DURING TODAY" if where else "")
        walked(replace(text, limit="LIMIT 20000" if limit else ""))
