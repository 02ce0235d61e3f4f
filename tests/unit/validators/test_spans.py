"""Code spans: prefixes, ranges and exclusions, against a plain reading of the same words."""

from __future__ import annotations

import random

import pytest

from dipgate.validators.spans import compile_spans


@pytest.mark.parametrize(
    ("spans", "inside", "outside"),
    [
        (("V01-Y98",), ("V01.000", "W19.x00", "Y98.x00"), ("U99.000", "Y99.000", "", "V")),
        (("K80.2",), ("K80.200", "K80.2", "K80.200x003"), ("K80.100", "K80")),
        (("D07.0-D07.3",), ("D07.000", "D07.300"), ("D07.400", "D06.900", "D07")),
        (("O26.900x001-O26.900x711",), ("O26.900x506", "O26.900x711"), ("O26.900", "O26.900x712")),
        (("O80-O84", "!O83.4"), ("O80.000", "O83.300"), ("O83.400", "O85.x00")),
        (("O",), ("O00.000", "O99.900"), ("P00.000",)),
        (("65-75",), ("65.2501", "75.9900"), ("64.5x00", "76.0100", "")),
        (("60-64", "!64.5"), ("60.2902",), ("64.5x00", "65.0000")),
        (("36.06", "A17"), ("36.0601", "A17.000+G01*"), ("36.0700", "A18.000")),
    ],
)
def test_spans(spans: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    matches = compile_spans(spans)
    assert [code for code in inside if not matches(code)] == []
    assert [code for code in outside if matches(code)] == []


@pytest.mark.parametrize(
    "spans",
    [(), ("",), ("K80.2-K81",), ("K81-K80",), ("K80-36",), ("k80",), ("K80*",), ("!K80",), ("中",)],
)
def test_a_bad_span_is_named(spans: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="代码范围"):
        compile_spans(spans)


def test_the_index_agrees_with_a_plain_reading() -> None:
    rnd = random.Random(7)  # noqa: S311 - reproducible, not secret
    spans = ("A34", "B37.3", "C51-C58", "C79.6", "D07.0-D07.3", "N70-N98", "!N73.6", "O00-O99")
    matches = compile_spans(spans)

    def plainly(code: str) -> bool:
        def covers(span: str) -> bool:
            low, _, high = span.partition("-")
            return low <= code[: len(low)] <= (high or low)

        taken = any(covers(span) for span in spans if not span.startswith("!"))
        return taken and not any(covers(span[1:]) for span in spans if span.startswith("!"))

    for _ in range(3000):
        code = f"{rnd.choice('ABCDNO')}{rnd.randrange(100):02d}.{rnd.randrange(1000):03d}"
        assert matches(code) is plainly(code), code
