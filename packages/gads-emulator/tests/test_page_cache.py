from __future__ import annotations

from collections.abc import Iterator

from gads_emulator.page_cache import PageCache


class _Maker:
    def __init__(self, *pages: str) -> None:
        self.pages, self.calls = pages, 0

    def __call__(self) -> Iterator[str]:
        self.calls += 1
        yield from self.pages


def test_an_answer_is_made_once() -> None:
    cache, make = PageCache[str](100, len), _Maker("ab", "c")
    assert [list(cache.through("k", make)) for _ in range(3)] == [["ab", "c"]] * 3
    assert make.calls == 1
    assert cache.held_bytes == 3


def test_an_answer_that_is_not_read_to_its_end_is_not_cached() -> None:
    cache, make = PageCache[str](100, len), _Maker("ab", "c")
    next(cache.through("k", make))
    assert list(cache.through("k", make)) == ["ab", "c"]
    assert make.calls == 2


def test_the_least_recently_used_answer_is_evicted_first() -> None:
    cache = PageCache[str](10, len)
    makers = {key: _Maker(key * 2) for key in "abcdef"}
    for key in "abcdeaf":
        list(cache.through(key, makers[key]))
    assert cache.held_bytes <= 10
    assert list(cache.through("a", makers["a"])) == ["aa"]
    assert makers["a"].calls == 1
    list(cache.through("b", makers["b"]))
    assert makers["b"].calls == 2


def test_a_large_answer_is_not_cached() -> None:
    cache, make = PageCache[str](10, len), _Maker("abc", "def")
    assert list(cache.through("k", make)) == ["abc", "def"]
    assert cache.held_bytes == 0
