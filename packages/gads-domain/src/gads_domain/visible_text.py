"""Text from outside as it can be shown: control characters and changes of the writing direction act on nothing."""

import unicodedata

_KEPT = frozenset("\t\n\u200c\u200d")
"""Tab and line end; the joiners, which words and emoji are written with."""
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))


def visible(text: str) -> str:
    """`text` with each character that has no shape of its own as `\\u001b`: it steers no terminal and no page."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(one):04x}" if unicodedata.category(one) in _UNSEEN and one not in _KEPT else one for one in text
    )


def one_line(text: str, most: int) -> str:
    """`text` in a line of at most `most` characters, visible; what is longer is cut and ends with `…`."""
    found = " ".join(visible(text[: 4 * most]).split())
    return found if len(found) <= most and len(text) <= 4 * most else f"{found[: most - 1].rstrip()}…"
