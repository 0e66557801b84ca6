"""Text from outside as it can be shown: control characters and changes of the writing direction act on nothing."""

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ue000-\uf8ff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What has no shape of its own; but for the tab, the end of a line, and the joiners that scripts are written with."""


def visible(text: str) -> str:
    """`text` with each character that has no shape of its own as `\\u001b`: it steers no terminal and no page."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str, most: int) -> str:
    """`text` in a line of at most `most` characters, visible; what is longer is cut and ends with `…`."""
    found = visible(" ".join(text[: 4 * most].split()))
    return found if len(found) <= most and len(text) <= 4 * most else f"{found[: most - 1].rstrip()}…"
