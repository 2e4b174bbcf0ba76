"""A run as one page: what it holds, what it costs, and what it refuses."""

import base64
import hashlib
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from byhand.errors import DataError, UsageError
from byhand.export.bundle import bundle
from byhand.export.carry import carry
from byhand.export.digit_page import export, render
from byhand.layers import Linear
from byhand.model import MLP, LinearClassifier, Sequential

STATIC = Path(__file__).resolve().parents[1] / "src" / "byhand" / "play" / "static"
MODULES = {file.name: file.read_text("utf-8") for file in sorted(STATIC.glob("*.js"))}


def model(*hidden: int, pixels: int = 784, classes: int = 10, init: str = "kaiming") -> Sequential:
    generator = torch.Generator().manual_seed(0)
    if not hidden:
        return LinearClassifier(pixels, classes, init, generator)
    return MLP(pixels, hidden, classes, init=init, generator=generator)


def record(**data: Any) -> dict[str, Any]:
    plain = {"source": "mnist", "classes": [str(i) for i in range(10)], "shape": [28, 28], "ink_box": 20}
    return {"data": plain | data, "results": {"valid_accuracy": 0.9216}}


def read(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="model">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def weights(told: dict[str, Any]) -> list[np.ndarray]:
    """The tensors that a page holds, read with NumPy."""
    numbers = np.frombuffer(base64.b64decode(told["data"]), f"<f{told['bits'] // 8}").astype(np.float32)
    sizes = told["sizes"]
    lengths = [n for i, o in pairwise(sizes) for n in (i * o, o)]
    parts = np.split(numbers, np.cumsum(lengths)[:-1])
    return [part * np.float32(scale) for part, scale in zip(parts, told["scales"], strict=True)]


def test_small_models_travel_as_they_are_in_300_kilobytes() -> None:
    for one in (model(), model(30)):
        page = render(one, record())
        assert len(page.encode()) < 300_000
        for tensor, found in zip(one.parameters(), weights(read(page)), strict=True):
            assert np.array_equal(tensor.detach().numpy().ravel(), found)


@pytest.mark.parametrize("factor", [1.0, 1e-4, 1e6, 1e-30])
def test_large_models_travel_rounded_with_60_kilobytes_around_them(factor: float) -> None:
    one = model(200)
    first = one.parameters()[0]
    first.detach().mul_(factor)
    page = render(one, record())
    numbers = sum(p.numel() for p in one.parameters())
    assert len(page.encode()) < 4 * (2 * numbers + 2) / 3 + 60_000
    for tensor, found in zip(one.parameters(), weights(read(page)), strict=True):
        flat = tensor.detach().numpy().ravel()
        assert np.abs(flat - found).max() <= np.abs(flat).max() * 2**-11


def test_the_stated_difference_is_not_less_than_that_of_other_pictures() -> None:
    one = model(200, 50)
    carried = carry(one, (28, 28))
    assert 0 < carried.max_difference < 0.01
    told = read(render(one, record()))
    rounded = model(200, 50)
    with torch.no_grad():
        for tensor, found in zip(rounded.parameters(), weights(told), strict=True):
            tensor.copy_(torch.as_tensor(found).reshape(tensor.shape))
    pictures = torch.as_tensor(np.random.default_rng(1).integers(0, 256, (200, 784), np.uint8))
    moved = (torch.softmax(rounded(pictures), 1) - torch.softmax(one(pictures), 1)).abs().max().item()
    assert moved < 2 * carried.max_difference


def test_a_page_may_run_and_load_nothing_but_its_own() -> None:
    page = render(model(), record())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; ")
    for tag, directive in (("<style>", "style-src"), ("<script>", "script-src")):
        text = page.split(tag)[1].split(tag.replace("<", "</"))[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert not re.search(r"https?:|src=|@import|url\(", page.replace('"http://www.w3.org/2000/svg"', ""))
    assert " style=" not in page


def test_hostile_names_are_text() -> None:
    name = "</script><script>alert(1)</script>"
    page = render(model(), record(classes=[name, *"123456789"], source="/secret/place/<b>mine"))
    assert name not in page
    assert "secret" not in page
    assert "&lt;b&gt;mine" in page
    assert read(page)["classes"][0] == name


def test_what_a_page_cannot_carry_is_refused_with_the_reason(tmp_path: Path) -> None:
    broken = model()
    broken.parameters()[0].detach()[3, 5] = np.nan
    convolution = torch.nn.Conv2d(1, 8, 3)
    cases = [
        (convolution, record(), "cannot carry a Conv2d"),
        (Sequential(Linear(784, 5), Linear(5, 10)), record(), "has to be linear, or an MLP"),
        (model(pixels=129 * 129), record(shape=[129, 129]), "129×129 pixels"),
        (model(14000), record(), "21 MB, and 20 MB is the most"),
        (broken, record(), "are not numbers"),
    ]
    for one, told, reason in cases:
        with pytest.raises(UsageError, match=reason) as caught:
            render(one, told)
        assert "\n" not in str(caught.value)
    for name in ("digit.onnx", "digit", "digit.htm"):
        with pytest.raises(UsageError, match=r"\.html"):
            export(tmp_path, tmp_path / name)
    with pytest.raises(DataError, match="not a run"):
        export(tmp_path, tmp_path / "digit.html")
    assert list(tmp_path.iterdir()) == []


def taken() -> set[str]:
    """The modules that the page is made of."""
    found, new = set[str](), {"draw.js", "network.js", "numbers.js"}
    while new:
        found |= new
        new = {name for file in new for name in re.findall(r'from "\./(\w+\.js)"', MODULES[file])} - found
    return found


def test_modules_keep_to_what_one_script_can_be_made_of() -> None:
    names: dict[str, str] = {}
    for file, text in MODULES.items():
        assert len(text.splitlines()) <= 200, file
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            file
        )
        assert not re.search(r"""setAttribute\(["']style|</script|<!--""", text), file
    for file in taken():
        text = MODULES[file]
        for name in re.findall(r"^(?:export )?(?:async )?(?:function|const|let|class) (\w+)", text, re.MULTILINE):
            assert name not in names, f"{name} is in {file} and in {names[name]}"
            names[name] = file
    script = bundle('import { drawView } from "./draw.js";\n')
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert script.index("function node(") < script.index("function makePad(") < script.index("function drawView(")
    assert script.count("function node(") == 1
    with pytest.raises(ValueError, match="export default"):
        bundle("export default 3;\n")


def test_batch_norm_travels_within_the_layers_before_it() -> None:
    one = MLP(784, [20, 12], 10, 0.5, generator=torch.Generator().manual_seed(0), input_dropout=0.2, batch_norm=True)
    pictures = torch.as_tensor(np.random.default_rng(1).integers(0, 256, (300, 784), np.uint8))
    for start in range(0, 300, 100):
        one(pictures[start : start + 100])  # the averages see some batches
    told = read(render(one.eval(), record()))
    assert told["sizes"] == [784, 20, 12, 10]
    y = pictures.float() / 255
    tensors = [torch.as_tensor(tensor.copy()) for tensor in weights(told)]
    for i, (inputs, outputs) in enumerate(pairwise(told["sizes"])):
        y = y @ tensors[2 * i].view(outputs, inputs).T + tensors[2 * i + 1]
        y = y.clamp(min=0) if i < 2 else y
    torch.testing.assert_close(torch.softmax(y, 1), torch.softmax(one(pictures), 1).detach(), rtol=1e-4, atol=1e-5)
