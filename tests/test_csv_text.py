"""CSV for spreadsheets: every table begins with Excel's mark, none of its cells is computed."""

from __future__ import annotations

import csv
import io
import random

import pytest

from chatsite.csv_text import csv_rows

HARMLESS = (
    "港口",
    "a=b",
    "1+1",
    "it's",
    "a,b",
    'say "x"',
    "two\nlines",
    "",
    "0.5",
    "’",
    " plain",
    "a\x00b"[:1],
)
COMPUTED = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
CONTROLS = ("\t", "\r", "\n", "\x00", "\x1b", "\x7f", "\x85")


@pytest.mark.parametrize(
    "begin", [*COMPUTED, *(f"{blank}{sign}" for blank in " \t\u3000\xa0" for sign in "=@")]
)
def test_a_cell_that_would_be_computed_is_text(begin: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_rows([[f"{begin}1+1"]])))
    assert row == [f"'{begin}1+1"]


@pytest.mark.parametrize("control", CONTROLS)
def test_a_cell_that_begins_with_a_control_is_text(control: str) -> None:
    assert csv_rows([[f"{control}x"]]).lstrip('"').startswith(f"'{control}")


def test_numbers_stay_numbers() -> None:
    assert csv_rows([[-1, 0, 2.5, None, True]]) == "-1,0,2.5,,True\r\n"


def check(seeds: range) -> None:
    """Whatever the cells are, the table has them all, and a reader gets back what was written."""
    for seed in seeds:
        chance = random.Random(seed)
        table = [
            [
                (chance.choice(COMPUTED) if chance.random() < 0.4 else "") + chance.choice(HARMLESS)
                for _ in range(3)
            ]
            for _ in range(chance.randint(1, 4))
        ]
        found = list(csv.reader(io.StringIO(csv_rows(table), newline="")))
        expected = [[f"'{cell}" if cell.startswith(COMPUTED) else cell for cell in row] for row in table]
        assert found == expected, f"seed {seed}"


def test_a_hundred_generated_tables() -> None:
    check(range(100))


@pytest.mark.proof
def test_two_thousand_generated_tables() -> None:
    check(range(1_000, 3_000))
