"""How wide text is in the cells of a terminal, and where it may be broken."""

import re

_PARTS = re.compile(r"[^/,;._-]*[/,;._-]|[^/,;._-]+")
_ENDS = re.compile(r"([/,;_])")
_SPLIT_WIDE = 12
"""Cells: text of characters that are two cells wide has no spaces between words, and may be broken anywhere."""


def width_of(text: str) -> int:
    """The cells that a terminal takes to show `text`."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # tables of ASCII do without

    return cell_len(text)


def long_word(text: str) -> int:
    """The width of the longest word."""
    if text.isascii():
        return max(map(len, text.split()), default=0)
    return max(
        (min(width, _SPLIT_WIDE) if (width := width_of(word)) > len(word) else width for word in text.split()),
        default=0,
    )


def long_part(text: str) -> int:
    """The width of the longest part of a word that ends in `/ , ; _` or with the word."""
    return long_word(_ENDS.sub(r"\1 ", text))


def chopped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` cells, broken between words; a longer word after `/ , ; . _ -` or anywhere."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(lines[-1]) + 1 + width_of(word) <= width:
            lines[-1] += f" {word}"
        elif width_of(word) <= width:
            lines.append(word)
        else:
            lines += _broken(word, width)
    return lines


def _broken(word: str, width: int) -> list[str]:
    lines = [""]
    for part in _PARTS.findall(word):
        if width_of(lines[-1]) + width_of(part) <= width:
            lines[-1] += part
            continue
        if lines[-1]:
            lines.append("")
        for character in part:
            if width_of(lines[-1]) + width_of(character) > width:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]
