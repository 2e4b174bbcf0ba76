"""Published weights of ResNet-18: a file of their layout, fetched, checked and fitted; and every file that is not."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from byhand import DataError, LinearClassifier, ResNet18, networks, published, weights

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])  # as its authors normalise colours


def made_up(classes: int = 1000) -> dict[str, Tensor]:
    """Numbers in the layout of torchvision's resnet18, for three colours."""
    generator = torch.Generator().manual_seed(5)
    state = {name: tensor.clone() for name, tensor in ResNet18((28, 28), classes, generator).state_dict().items()}
    for tensor in state.values():
        if tensor.dim() == 1:
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif not tensor.dim():
            tensor.fill_(7)
    return state | {"conv1.weight": torch.randn(64, 3, 7, 7, generator=generator) / 12}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a file, as others write it: without byhand's checksums."""
    path = tmp_path_factory.mktemp("published") / "model.safetensors"
    safetensors.torch.save_file(made_up(), path, {"format": "pt"})
    return path


def network(classes: int = 10, shape: tuple[int, int] = (28, 28)) -> ResNet18:
    return ResNet18(shape, classes, torch.Generator().manual_seed(0))


def test_the_answers_are_those_of_the_colour_network_for_the_grey_image_in_each_channel(file: Path) -> None:
    ours = network(1000)
    networks.start_from(ours, str(file))
    ours.double().eval()
    theirs = network(1000).double().eval()
    theirs.conv1 = nn.Conv2d(3, 64, 7, 2, bias=False).double()
    theirs.load_state_dict(made_up())
    x = torch.rand(4, 1, 28, 28, dtype=torch.float64)
    black = F.pad(x, (3, 3, 3, 3)).expand(-1, 3, -1, -1)  # around the image too
    colour = (black - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)
    y = theirs.bn1(theirs.conv1(colour)).relu()
    for stage in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
        y = stage(y)
    expected = theirs.fc(y.mean(dim=(2, 3)))
    torch.testing.assert_close(ours(x.flatten(1)), expected, rtol=1e-5, atol=1e-4)  # ours were rounded to float32


def test_a_last_layer_for_other_classes_stays_fresh_and_all_else_is_taken(file: Path) -> None:
    fresh, model, saved = network().state_dict(), network(), made_up()
    networks.start_from(model, str(file))
    for name, tensor in model.state_dict().items():
        if name.startswith("fc."):
            assert torch.equal(tensor, fresh[name])
        elif name not in ("conv1.weight", "bn1.running_mean"):
            assert torch.equal(tensor, saved[name]), name
    same = network(1000)
    networks.start_from(same, str(file))
    assert torch.equal(same.fc.weight, saved["fc.weight"])


def test_an_own_run_s_weights_are_taken_as_they_are(tmp_path: Path) -> None:
    model = network(5)
    path = weights.save(tmp_path / "w.safetensors", model.state_dict())
    for classes in (5, 9):
        other = ResNet18((8, 8), classes, torch.Generator().manual_seed(1))
        networks.start_from(other, str(path))
        taken = [
            torch.equal(t, other.state_dict()[name]) for name, t in model.state_dict().items() if name[:3] != "fc."
        ]
        assert all(taken)
        assert (other.fc.weight.shape == model.fc.weight.shape) is (classes == 5)


def changed(change: Callable[[dict[str, Tensor]], object]) -> dict[str, Tensor]:
    state = made_up()
    change(state)
    return {name: tensor.contiguous() for name, tensor in state.items()}


def without_counts(state: dict[str, Tensor]) -> None:
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]


def test_counts_of_batches_may_be_missing_and_half_precision_will_do(tmp_path: Path) -> None:
    safetensors.torch.save_file(changed(without_counts), tmp_path / "w")
    model = network()
    networks.start_from(model, str(tmp_path / "w"))
    assert int(model.bn1.num_batches_tracked) == 0
    safetensors.torch.save_file(changed(lambda s: s.update({n: t.half() for n, t in s.items()})), tmp_path / "w")
    networks.start_from(model, str(tmp_path / "w"))
    assert model.fc.weight.dtype == model.conv1.weight.dtype == torch.float32


UNFIT: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "a missing name": (lambda s: s.pop("layer2.0.bn1.bias"), "missing layer2.0.bn1.bias, unknown nothing"),
    "an unknown name": (lambda s: s.update(colour=torch.ones(2)), "missing nothing, unknown colour"),
    "no last layer": (lambda s: [s.pop("fc.weight"), s.pop("fc.bias")], "missing fc.bias, fc.weight, unknown nothing"),
    "other names": (
        lambda s: [s.update({f"model.{name}": s.pop(name)}) for name in list(s)],
        r"missing bn1\.bias, bn1\.running_mean, bn1\.running_var, bn1\.weight and 98 more, unknown model\.bn1\.bias, .*"
        r" and 118 more",
    ),
    "another shape": (
        lambda s: s.update({"layer1.0.conv1.weight": torch.ones(64, 64, 1, 1)}),
        r"layer1\.0\.conv1\.weight has shape \(64, 64, 1, 1\), the model wants \(64, 64, 3, 3\)",
    ),
    "four colours": (
        lambda s: s.update({"conv1.weight": torch.ones(64, 4, 7, 7)}),
        r"conv1\.weight has shape \(64, 4, 7, 7\), the model wants \(64, 1, 7, 7\)",
    ),
    "a last layer that is none": (
        lambda s: s.update({"fc.weight": torch.ones(1000, 2048)}),
        r"fc\.weight has shape \(1000, 2048\), the model wants \(10, 512\)",
    ),
    "a mean of another size": (
        lambda s: s.update({"bn1.running_mean": torch.ones(1)}),
        r"conv1\.weight has shape \(64, 3, 7, 7\), the model wants \(64, 1, 7, 7\)",
    ),
    "a linear model": (
        lambda s: [s.clear(), s.update(LinearClassifier(784, 10).state_dict())],
        r"missing bn1\.bias, .* and 98 more, unknown 0\.bias, 0\.weight",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_file_that_does_not_fit_is_one_line_and_changes_nothing(tmp_path: Path, kind: str) -> None:
    change, words = UNFIT[kind]
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(changed(change), path)
    model = network()
    before = weights.snapshot(model, {})
    with pytest.raises(DataError, match=f"^--weights {path} does not fit the model: {words}") as caught:
        networks.start_from(model, str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_damaged_file_is_one_line(tmp_path: Path, file: Path) -> None:
    model = network()
    path = tmp_path / "w.safetensors"
    content = file.read_bytes()
    for damaged in (content[:-1], content[:100], b"", b"no weights" * 99):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"^cannot read the weights ") as caught:
            networks.start_from(model, str(path))
        assert "\n" not in str(caught.value)
    weights.save(path, model.state_dict())  # a run's own file has checksums
    content = bytearray(path.read_bytes())
    content[-12345] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged: the checksum of \S+ is another"):
        networks.start_from(model, str(path))


# The download.


class Handler(BaseHTTPRequestHandler):
    """The hub: a redirection, then the file; ``server.content`` is what it has, ``server.seen`` what was asked."""

    server: Any

    def do_GET(self) -> None:
        if self.path.startswith("/hub/"):
            self.send_response(302)
            self.send_header("Location", self.path.replace("/hub/", "/store/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked, content = self.headers.get("Range"), self.server.content
        self.server.seen.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start : start + self.server.most])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with server:
        server.content, server.seen, server.most = file.read_bytes(), [], 1 << 30
        digest = hashlib.sha256(server.content).hexdigest()
        monkeypatch.setattr(published, "FILE", ("model.safetensors", len(server.content), digest))
        monkeypatch.setattr(published, "_MIRRORS", (f"http://127.0.0.1:{server.server_port}/hub/",))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_published_file_is_pinned() -> None:
    name, size, digest = published.FILE
    assert name.endswith(".safetensors")
    assert 4 * 11_699_112 + 8 * 20 < size < 4 * 11_699_112 + 20_000  # torchvision's numbers and a head
    assert len(bytes.fromhex(digest)) == 32
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in published._MIRRORS)


def test_imagenet_is_fetched_once_and_taken(hub: Any, home: Path) -> None:
    model = network()
    networks.start_from(model, "imagenet")
    assert torch.equal(model.layer4[0].conv1.weight, made_up()["layer4.0.conv1.weight"])
    networks.start_from(network(), "imagenet")
    assert hub.seen == [None]
    kept = home / "byhand" / "weights" / "resnet18.tv_in1k"
    assert [path.name for path in kept.iterdir()] == ["model.safetensors"]


def test_a_broken_transfer_is_continued(hub: Any) -> None:
    hub.most = len(hub.content) - 1000
    networks.start_from(network(), "imagenet", quiet=True)
    assert hub.seen == [None, f"bytes={hub.most}-"]


def test_another_file_under_that_name_is_refused_in_one_line(hub: Any, home: Path) -> None:
    hub.content = hub.content[:-1] + b"x"
    with pytest.raises(
        DataError, match=r"^imagenet: cannot be downloaded \(127.*the file is not the published"
    ) as caught:
        networks.start_from(network(), "imagenet", quiet=True)
    assert str(caught.value).endswith("by hand, or name another file with --weights")
    assert "\n" not in str(caught.value)
    assert list((home / "byhand" / "weights").rglob("*.*nsors")) == []


def test_without_the_network_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(published, "_MIRRORS", ("http://127.0.0.1:9/",))
    with pytest.raises(DataError, match=r"^imagenet: cannot be downloaded") as caught:
        networks.start_from(network(), "imagenet")
    assert "\n" not in str(caught.value)
