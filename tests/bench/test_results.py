"""From seconds to the table of docs/performance.md: worked by hand."""

import pytest
from results import (
    Result,
    as_json,
    peers_that_stay,
    rounds_that_fit,
    share_of_limit,
    table,
    work_of,
)

FASTER = Result("prefill 512", "135M Q4_0", "tok/s",
                {"jarip": [100, 300, 200], "a": [90, 80, 100], "b": [150, 60, 50, 70]}, 2.0)
SMALLER = Result("peak memory", "1.2B Q4_K_M", "MiB", {"jarip": [900], "a": [1000], "b": [950]},
                 1.0, lower_is_better=True)


def test_the_ratio_is_of_medians_against_the_best_peer():
    assert FASTER.median("jarip") == 200
    assert FASTER.median("b") == 65
    assert FASTER.best_peer == "a"
    assert FASTER.ratio == pytest.approx(200 / 90)
    assert FASTER.is_reached is True
    assert FASTER.spread("jarip") == pytest.approx(1.0)


def test_less_is_more_where_it_is():
    assert SMALLER.best_peer == "b"
    assert SMALLER.ratio == pytest.approx(950 / 900)
    assert SMALLER.is_reached is True


def test_a_ratio_below_the_bar_is_not_reached():
    row = Result("decode", "135M", "tok/s", {"jarip": [134], "a": [100]}, 1.35)
    assert row.is_reached is False
    assert Result("decode", "135M", "tok/s", {"jarip": [135], "a": [100]}, 1.35).is_reached is True
    assert "| 1.34 | 1.35 | **no** |" in table([row])


def test_without_a_peer_there_is_no_verdict():
    row = Result("decode", "135M", "tok/s", {"jarip": [5.0]}, 1.35)
    assert row.best_peer is row.ratio is row.is_reached is None
    assert table([row]).splitlines()[-1] == (
        "| decode | 135M | 5.00 tok/s | – | – | 1.35 | – | – | 0 % | – |")


def test_points_of_curves_stay_out_of_the_table():
    point = Result("decode after 0", "135M", "tok/s", {"jarip": [5.0], "a": [4.0]}, None)
    lines = table([point, FASTER]).splitlines()
    assert len(lines) == 3
    assert lines[2] == ("| prefill 512 | 135M Q4_0 | 200 tok/s | 90.0 (a) | 2.22 | 2.00 | yes "
                        "| – | 100 % / 22 % | – |")


def test_llama_cpp_has_a_ratio_of_its_own_whichever_build_is_better():
    row = Result("prefill 512", "135M", "tok/s",
                 {"jarip": [300], "OpenVINO": [200], "llama.cpp": [80], "llama.cpp native": [100]},
                 2.0)
    assert row.best_peer == "OpenVINO"
    assert row.ratio_to_llama == pytest.approx(3.0)
    assert "200 (OpenVINO) | 1.50 | 2.00 | **no** | 3.00 |" in table([row])
    assert FASTER.ratio_to_llama is None


def test_the_record_holds_every_value_and_the_verdict():
    record = as_json(FASTER)
    assert record["values"]["b"] == [150, 60, 50, 70]
    assert record["best_peer"] == "a"
    assert record["reached"] is True


def test_peers_near_the_best_go_on_and_only_the_best_where_it_costs_much():
    seconds = {"a": 1.0, "b": 1.2, "c": 1.3}
    assert peers_that_stay(seconds, costs_much=False) == ["a", "b"]
    assert peers_that_stay(seconds, costs_much=True) == ["a"]
    assert peers_that_stay({}, costs_much=False) == []


@pytest.mark.parametrize("left, later, a_round, rounds", [
    (100, 50, 2, 5),   # plenty
    (100, 92, 2, 4),   # what comes later leaves four
    (100, 99, 2, 3),   # three are owed to every row
    (5, 0, 2, 0),      # and not even those fit
])
def test_rounds_leave_time_for_what_comes_later(left, later, a_round, rounds):
    assert rounds_that_fit(left, later, a_round, least=3, most=5) == rounds


TENSORS = [{"name": "token_embd.weight", "shape": [10, 100], "bytes": 500},
           {"name": "blk.0.attn_q.weight", "shape": [10, 10], "bytes": 60},
           {"name": "output_norm.weight", "shape": [10], "bytes": 40}]


def test_work_counts_the_output_only_where_logits_are_wanted():
    assert work_of(TENSORS, 1) == {"ops_per_token": 2200, "bytes_per_step": 600}
    assert work_of(TENSORS, 0.5)["ops_per_token"] == 1200


def test_the_share_of_a_limit():
    work = {"ops_per_token": 2e9, "bytes_per_step": 1e9}
    limits = {"int8_ops_per_second": 1e12, "f32_flops_per_second": 2e11,
              "read_bytes_per_second": 3e10}
    assert share_of_limit("int8", 300, work, limits) == "60 % of int8"
    assert share_of_limit("f32", 50, work, limits) == "50 % of f32"
    assert share_of_limit("read", 15, work, limits) == "50 % of read"
    assert share_of_limit("", 15, work, limits) == ""
