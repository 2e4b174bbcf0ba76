"""``byhand compare``: the table, the verdict, the JSON, and one line where runs cannot be compared."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.data.load import load

Call = Callable[..., Any]


@pytest.fixture
def copies(runs: Path, tmp_path: Path) -> None:
    """The runs, copied into the working directory."""
    for name in ("linear", "seed", "mlp", "weak"):
        shutil.copytree(runs / name, tmp_path / name)


def test_json_is_one_object_with_the_contracts_fields(start: Call, copies: None) -> None:
    done = start("compare", "weak", "linear", "--json")
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\n") == 1
    fields = json.loads(done.out)
    assert fields["schema"] == "byhand.compare/1"
    assert {name: type(value) for name, value in fields["difference"].items()} == {
        "value": float, "low": float, "high": float,
    }  # fmt: skip
    assert fields["difference"]["low"] <= fields["difference"]["value"] <= fields["difference"]["high"]
    first, second = (one["accuracy"]["value"] for one in fields["runs"])
    assert fields["difference"]["value"] == pytest.approx(second - first, abs=1e-12)
    assert 0 < fields["p_value"] < 0.05
    assert [one["run"] for one in fields["runs"]] == ["weak", "linear"]
    assert fields["pairs"][0]["real"] is True
    assert fields["seeds"] == []
    assert fields["verdict"].startswith("linear is better, by ")


def test_what_a_person_sees_of_two_runs(call: Call, copies: None) -> None:
    done = call("compare", "linear", "mlp")
    assert (done.status, done.err) == (0, "")
    table, verdict = done.out.split("\n\n")
    pattern = r"(linear|mlp   )   \d\d\.\d\d %  \(\d\d\.\d to \d\d\.\d on 359\)"
    assert [bool(re.fullmatch(pattern, line)) for line in table.splitlines()] == [True, True]
    assert re.search(r"images are right in mlp alone, \d+ in linear alone\.", " ".join(verdict.split()))
    assert all(len(line) <= 100 for line in done.out.splitlines())


def test_what_a_person_sees_of_three_runs(call: Call, copies: None) -> None:
    done = call("compare", "linear", "seed", "weak")
    assert done.status == 0
    assert "each against each, p adjusted for the number of pairs (Holm)" in done.out
    pairs = re.findall(r"^(\S+) +− (\S+) +[+-]\d+\.\d\d points .* (real|may be luck)$", done.out, flags=re.MULTILINE)
    assert [pair[:2] for pair in pairs] == [("seed", "linear"), ("weak", "linear"), ("weak", "seed")]
    assert [pair[2] for pair in pairs][1:] == ["real", "real"]
    assert re.search(r"^2 seeds: \d\d\.\d\d ± \d\.\d\d %  \(linear, seed\)$", done.out, flags=re.MULTILINE)
    assert re.search(r"^(linear|seed) is right most often", done.out, flags=re.MULTILINE)


def test_two_seeds_are_a_group_with_mean_and_spread(call: Call, copies: None) -> None:
    fields = json.loads(call("compare", "linear", "seed", "--json").out)
    (group,) = fields["seeds"]
    values = [one["accuracy"]["value"] for one in fields["runs"]]
    assert group["runs"] == ["linear", "seed"]
    assert group["accuracy"]["mean"] == pytest.approx(np.mean(values), abs=1e-12)
    assert group["accuracy"]["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert "They differ in nothing but their seeds" in fields["verdict"]


def test_quiet_prints_the_verdict_in_one_line(call: Call, copies: None) -> None:
    done = call("compare", "linear", "weak", "--quiet")
    assert (done.status, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.out.startswith("linear is better, by ")


@pytest.mark.parametrize("names", [["linear"], ["linear", "linear"], ["linear", "./linear/"]])
def test_one_run_or_the_same_twice_is_status_2(call: Call, copies: None, names: list[str]) -> None:
    assert "name two different runs or more" in call("compare", *names).error(2)


def test_other_test_images_are_status_2(call: Call, copies: None) -> None:
    data = load("digits", valid=0)
    np.savez("few.npz", images=data.train.images, labels=data.train.labels)
    assert call("train", "few.npz", "--quiet", "--epochs", "1", "--lr", "1", "--out", "few").status == 0
    assert "linear and few have different test images" in call("compare", "linear", "few").error(2)


def test_what_is_no_run_is_status_3(call: Call, copies: None) -> None:
    assert "nowhere is not a run" in call("compare", "linear", "nowhere").error(3)
    assert "Missing argument" in call("compare").error(2)
