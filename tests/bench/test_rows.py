"""The rows that are measured: all that docs/performance.md promises, and within their time."""

import collections

from page import curve_points
from results import Result
from rows import BATCHES, DEPTHS, all_rows, groups_of, models_of
from session import least_cost


def bars(rows, work):
    return {row.title: row.at_least for row in rows if row.work == work and row.at_least}


def test_every_row_that_was_asked_for_is_there():
    rows = all_rows()
    small = {f"135M {name}": 2.0 for name in ("Q4_0", "Q4_K_M", "Q8_0")}
    large = {f"1.2B {name}": 2.0 for name in ("Q4_0", "Q4_K_M", "Q8_0")}
    exact = {"135M F16": 1.2, "135M BF16": 1.2}
    assert bars(rows, "prefill 512") == small | large | exact
    assert bars(rows, "decode, one stream") == (
        dict.fromkeys(small, 1.35) | dict.fromkeys(large, 1.05) | exact)
    assert set(bars(rows, "16 streams decoding together").values()) == {2.5}
    assert bars(rows, "prefill 8192") == {"135M Q4_K_M": 2.0}


def test_the_curves_have_all_their_points():
    rows = all_rows()
    for title in ("135M Q4_K_M", "1.2B Q4_K_M"):
        batches = {int(row.item.split()[3]) for row in rows
                   if row.title == title and "batch" in row.item}
        assert batches == set(BATCHES)
    depths = [int(row.item.split()[3]) for row in rows if "depth" in row.item]
    assert sorted(set(depths)) == sorted(DEPTHS)
    assert depths == sorted(depths, reverse=True), "a longer context would be read anew"


def test_what_the_table_asks_for_is_measured_before_the_curves():
    rows = all_rows()
    groups = groups_of(rows)
    assert sorted(map(id, rows)) == sorted(id(row) for group in groups for row in group)
    assert all(len(models_of(group)) == 1 for group in groups)
    of_curves = [row.is_of_a_curve for group in groups for row in group]
    assert of_curves == sorted(of_curves)


def test_no_row_is_there_twice():
    counts = collections.Counter((row.model, row.item) for row in all_rows())
    assert max(counts.values()) == 1


def test_the_least_of_everything_fits_the_budgets():
    assert sum(map(least_cost, all_rows())) < 11 * 60
    assert sum(map(least_cost, all_rows(quick=True))) < 100


def test_curves_are_ours_and_the_best_peers():
    def point(work, ours, a, b):
        return Result(work, "135M", "tok/s", {"jarip": [ours], "a": [a], "b": [b]}, None)

    panels = curve_points([point("decode after 0", 9, 5, 4), point("decode after 1024", 8, 3, 1)],
                          r"decode after (\d+)")
    assert panels == {"135M": {"jarip": [(0, 9), (1024, 8)], "a": [(0, 5), (1024, 3)]}}
    assert curve_points([point("decode after 0", 9, 5, 4)], r"decode after (\d+)") == {}
