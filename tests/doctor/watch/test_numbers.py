"""The numbers of a line as they were printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.doctor.watch.numbers import numbers_in

LINES = [
    # line, (value, decimals, percent, of, words) of each
    ("accuracy: 0.6374", [(0.6374, 4, False, None, "accuracy:")]),
    ("loss: 0.35, acc 63.7%", [(0.35, 2, False, None, "loss:"), (63.7, 1, True, None, ", acc")]),
    ("63 %", [(63, 0, True, None, "")]),
    ("6370/10000", [(6370, 0, False, 10000, "")]),
    ("6,370 / 10,000 right", [(6370, 0, False, 10000, "")]),
    ("Epoch [3/10]", [(3, 0, False, 10, "Epoch [")]),
    ("1.5e-03", [(0.0015, 4, False, None, "")]),
    ("1E+2", [(100, 0, False, None, "")]),
    ("-0.5", [(-0.5, 1, False, None, "")]),
    ("x = .25", [(0.25, 2, False, None, "x =")]),
    ("tensor(0.9123)", [(0.9123, 4, False, None, "tensor(")]),
    ("tensor([1., 0.5])", [(1, 0, False, None, "tensor(["), (0.5, 1, False, None, ",")]),
    ("conv2d layer3 v1.2.3 ResNet18", []),
    ("nan inf", []),
    ("", []),
    ("no number", []),
    ("loss 1e-999999999999", [(0, 100, False, None, "loss")]),
    ("loss 1e" + "9" * 5000, []),
    ("9" * 5000 + " 1/" + "9" * 5000 + " 2", [(2, 0, False, None, "9" * 5000 + " 1/" + "9" * 5000)]),
    ("a" + " " * 200_000 + "b 0.5", [(0.5, 1, False, None, "a" + " " * 200_000 + "b")]),
    ("0.1" + " " * 200_000, [(0.1, 1, False, None, "")]),
    ("0.1 0.2", [(0.1, 1, False, None, ""), (0.2, 1, False, None, "")]),
    ("The accuracy is 97.", [(97, 0, False, None, "The accuracy is")]),
    ("train=0.1|valid=0.2", [(0.1, 1, False, None, "train="), (0.2, 1, False, None, "|valid=")]),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line(line, expected):
    found = [(one.value, one.decimals, one.percent, one.of, one.words) for one in numbers_in(line)]
    assert found == expected


@given(st.floats(-1e9, 1e9), st.integers(0, 6), st.sampled_from(["", "%", " %"]))
def test_a_formatted_number_is_read_as_it_was_written(value, decimals, sign):
    text = f"{value:.{decimals}f}"
    (number,) = numbers_in(f"accuracy {text}{sign}")
    assert number.value == float(text)
    assert number.decimals == decimals
    assert number.percent == bool(sign)


@given(st.text())
def test_any_text_can_be_read(text):
    assert all(one.value == one.value for one in numbers_in(text))


def test_a_long_line_is_no_metric():
    assert len(numbers_in("1 " * 1000)) == 64
