"""How long is an epoch? byhand's linear learner, its 784-30-10 and 784-512-10, beside how people write them.

All train on MNIST's 60,000 images with batches of 256 and evaluate on 60,000 and 10,000, in one process, in turn. The
floor is what no program can go below at a precision: each batch is gathered from the array of bytes, converted, and
multiplied by matrices of the sizes that forward and backward need, in the fastest of the orders in which these products
can be written.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import measure
import torch
import torch.nn.functional as F
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import byhand
from byhand.data.loader import loaders
from byhand.networks import mix
from byhand.optim import constant
from byhand.progress import Table
from byhand.threads import multiplies_bfloat16

BATCH = 256


class Byhand:
    """Steps alone, and epochs as ``fit`` runs them."""

    def __init__(
        self,
        model: byhand.Sequential,
        data: byhand.Dataset,
        lr: float,
        momentum: float = 0.0,
        precision: str = "float32",
    ) -> None:
        dls = loaders(data.train, data.test, BATCH)
        mix(model, precision)
        opt_func = partial(byhand.SGD, momentum=momentum)
        self.learn = byhand.Learner(dls, model, opt_func=opt_func, metrics=byhand.accuracy, quiet=True)
        self.learn.fit(0)  # the row of epoch 0, so that it is not part of an epoch measured
        self.lr = lr

    def steps(self) -> None:
        self.learn._epoch(self.learn.optimizer(), 1, constant(self.lr), Table([], quiet=True))

    def epoch(self) -> None:
        self.learn.fit(1, self.lr)

    def accuracy(self) -> float:
        """Of the test images, after the last epoch."""
        return self.learn.history[-1]["valid_accuracy"] or 0.0


class Seeds:
    """The second seed's loop: ``list(zip(x, y))``, a DataLoader, p.data -= p.grad * lr."""

    def __init__(self, x: Tensor, y: Tensor, vx: Tensor, vy: Tensor, shuffle: bool) -> None:
        self.dl = DataLoader(list(zip(x, y, strict=True)), batch_size=BATCH, shuffle=shuffle)
        self.valid_dl = DataLoader(list(zip(vx, vy, strict=True)), batch_size=BATCH)
        self.params = byhand.init_params((784, 10)), byhand.init_params(10)

    def steps(self) -> None:
        weights, bias = self.params
        for x, y in self.dl:
            F.cross_entropy(x @ weights + bias, y.squeeze()).backward()
            for p in self.params:
                p.data -= p.grad * 0.1
                p.grad.zero_()

    def epoch(self) -> None:
        self.steps()
        weights, bias = self.params
        accs = [((x @ weights + bias).argmax(1) == y.squeeze()).float().mean() for x, y in self.valid_dl]
        torch.stack(accs).mean().item()


class Torch:
    """What PyTorch's own tutorials write: TensorDataset, DataLoader, a module, torch.optim.SGD."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, vx: Tensor, vy: Tensor) -> None:
        self.dl = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)
        self.parts = [DataLoader(TensorDataset(x, y), batch_size=BATCH), DataLoader(TensorDataset(vx, vy), BATCH)]
        self.model = model
        self.opt = torch.optim.SGD(model.parameters(), lr=0.1)

    def steps(self) -> None:
        for x, y in self.dl:
            self.opt.zero_grad()
            F.cross_entropy(self.model(x), y).backward()
            self.opt.step()

    def epoch(self) -> None:
        self.steps()
        with torch.no_grad():
            for dl in self.parts:
                for x, y in dl:
                    preds = self.model(x)
                    F.cross_entropy(preds, y).item(), (preds.argmax(1) == y).sum().item()


def floor(
    pixels: Tensor, sizes: tuple[int, ...], threads: int, dtype: torch.dtype = torch.float32
) -> Callable[[], None]:
    """Gathers, conversions and products alone: forward, and backward for the weights and what lies between layers."""
    before = torch.get_num_threads()

    @torch.inference_mode()
    def run() -> None:
        torch.set_num_threads(threads)
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        weights = [torch.randn(shape, dtype=dtype) for shape in shapes]  # (O, I)
        grads = [torch.randn(outputs, BATCH, dtype=dtype) for outputs, _ in shapes]  # (O, B)
        for rows in torch.randperm(len(pixels)).split(BATCH):
            x = pixels.index_select(0, rows).to(dtype).t()  # (P, B)
            inputs = []
            for weight in weights:
                inputs.append(x)
                x = weight @ x
            for i in reversed(range(len(weights))):
                grad = grads[i][:, : len(rows)]
                grad @ inputs[i].t()
                if i:
                    weights[i].t() @ grad
        torch.set_num_threads(before)

    return run


def table(seconds: dict[str, list[float]]) -> list[str]:
    """A row a rival: its time, and how many times it is that of byhand's steps."""
    lines = [f"{'':48}{'one epoch, median (min to max)':34}times byhand's steps"]
    for name, values in seconds.items():
        lines.append(
            f"{name:48}{measure.spread(values, measure.milliseconds):34}{measure.ratio(values, seconds[OURS])}"
        )
    return lines


def fastai(x: Tensor, y: Tensor, vx: Tensor, vy: Tensor) -> dict[str, Callable[[], object]]:
    """The Learner of fastai on the second seed's loaders, where it is installed."""
    try:
        from fastai.learner import DataLoaders, Learner
        from fastai.metrics import accuracy
        from fastai.optimizer import SGD
    except ImportError:
        return {}
    train = DataLoader(list(zip(x, y, strict=True)), batch_size=BATCH, shuffle=True)
    valid = DataLoader(list(zip(vx, vy, strict=True)), batch_size=BATCH)
    net = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10))
    learn = Learner(DataLoaders(train, valid), net, loss_func=F.cross_entropy, opt_func=SGD, metrics=accuracy, lr=0.1)

    def epoch() -> None:
        with learn.no_bar(), learn.no_logging():
            learn.fit(1)

    return {FASTAI: epoch}


OURS = "byhand, steps"
FLOOR = "floor: gathers and products, 1 thread"
WIDE_FLOOR = "floor: gathers and products, all threads"
HALF_FLOOR = "floor in bfloat16, all threads"
SHUFFLED = "the seeds' loop, shuffled, steps"
UNSHUFFLED = "the seeds' loop, unshuffled, steps"
EPOCH = "byhand, epoch with both evaluations"
EXACT = "byhand in float32, epoch with both evaluations"
SKLEARN = "scikit-learn MLPClassifier, float64, epoch"
FASTAI = "fastai Learner, epoch with one evaluation"

Seconds = dict[str, list[float]]


class Inputs:
    """MNIST as the rivals want it: bytes, and numbers from 0 to 1 for PyTorch and for scikit-learn."""

    def __init__(self) -> None:
        self.data = byhand.load(measure.data_folder(), valid=0)
        train, test = self.data.train, self.data.test
        self.pixels = torch.as_tensor(train.images).reshape(-1, 784)  # (N, P)
        self.x, self.y = self.pixels.float() / 255, torch.as_tensor(train.labels)
        self.vx, self.vy = torch.as_tensor(test.images).reshape(-1, 784).float() / 255, torch.as_tensor(test.labels)
        self.x64, self.labels = train.images.reshape(-1, 784) / 255, train.labels

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.x, self.y, self.vx, self.vy

    def floors(self, *sizes: int) -> dict[str, Callable[[], object]]:
        return {
            FLOOR: floor(self.pixels, sizes, 1),
            WIDE_FLOOR: floor(self.pixels, sizes, torch.get_num_threads()),
        }

    def classifier(self, model: Any, x: Any) -> Callable[[], object]:
        """An epoch of one of scikit-learn's."""
        return lambda: model.partial_fit(x, self.labels, classes=range(10))


def linear(inputs: Inputs, rounds: int) -> Seconds:
    """784-10."""
    ours = Byhand(byhand.LinearClassifier(784, 10), inputs.data, 0.25)
    x, y, vx, vy = inputs.tensors
    shuffled, unshuffled = (Seeds(x, y.unsqueeze(1), vx, vy.unsqueeze(1), shuffle) for shuffle in (True, False))
    plain = Torch(nn.Linear(784, 10), x, y, vx, vy)
    sgd = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01)
    return measure.in_turn(
        {
            OURS: ours.steps,
            **inputs.floors(784, 10),
            SHUFFLED: shuffled.steps,
            UNSHUFFLED: unshuffled.steps,
            "TensorDataset and DataLoader, steps": plain.steps,
            EPOCH: ours.epoch,
            "the seeds' loop, shuffled, with its validation": shuffled.epoch,
            "TensorDataset, epoch with both evaluations": plain.epoch,
            "scikit-learn SGDClassifier, epoch": inputs.classifier(sgd, x.numpy()),
        },
        rounds,
    )


def small(inputs: Inputs, rounds: int) -> Seconds:
    """784-30-10."""
    ours = Byhand(byhand.MLP(784, [30], 10), inputs.data, 0.1)
    plain = Torch(nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10)), *inputs.tensors)
    return measure.in_turn(
        {
            OURS: ours.steps,
            **inputs.floors(784, 30, 10),
            "TensorDataset and DataLoader, steps": plain.steps,
            EPOCH: ours.epoch,
            "TensorDataset, epoch with both evaluations": plain.epoch,
            SKLEARN: inputs.classifier(MLPClassifier((30,)), inputs.x64),
            "scikit-learn MLPClassifier, float32, epoch": inputs.classifier(MLPClassifier((30,)), inputs.x.numpy()),
        }
        | fastai(*inputs.tensors),
        rounds,
    )


def wide(inputs: Inputs, rounds: int) -> tuple[Seconds, list[str]]:
    """784-512-10, and how right each is at the end: byhand with momentum 0.9, MLPClassifier as it is, with Adam."""
    half = multiplies_bfloat16(torch.device("cpu"))
    ours, exact = (
        Byhand(byhand.MLP(784, [512], 10), inputs.data, 0.05, 0.9, precision)
        for precision in ("bfloat16" if half else "float32", "float32")
    )
    plain = Torch(nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10)), *inputs.tensors)
    double = MLPClassifier((512,))
    rivals = {
        OURS: ours.steps,
        **inputs.floors(784, 512, 10),
        **({HALF_FLOOR: floor(inputs.pixels, (784, 512, 10), torch.get_num_threads(), torch.bfloat16)} if half else {}),
        EPOCH: ours.epoch,
        EXACT: exact.epoch,
        "TensorDataset, epoch with both evaluations": plain.epoch,
        SKLEARN: inputs.classifier(double, inputs.x64),
        "scikit-learn MLPClassifier, float32, epoch": inputs.classifier(MLPClassifier((512,)), inputs.x.numpy()),
    }
    seconds = measure.in_turn(rivals, rounds)
    right = {
        f"byhand, hidden layer in {'bfloat16' if half else 'float32'}, {2 * (rounds + 1)} epochs": ours.accuracy(),
        f"byhand in float32, {rounds + 1} epochs": exact.accuracy(),
        f"scikit-learn MLPClassifier, float64, {rounds + 1} epochs": double.score(
            inputs.vx.double().numpy(), inputs.vy.numpy()
        ),
    }
    return seconds, [f"{name:64}{value:.2%} of the test images" for name, value in right.items()]


def main() -> None:
    args = measure.options(__doc__, rounds=11)
    torch.manual_seed(0)
    inputs = Inputs()
    one, two = linear(inputs, args.rounds), small(inputs, args.rounds)
    three, right = wide(inputs, args.rounds)

    def row(name: str, slow: list[float], fast: list[float], bar: str = "") -> str:
        return f"{name:64}{measure.ratio(slow, fast):24}{bar}"

    end = three.get(HALF_FLOOR, three[WIDE_FLOOR])
    lines = [
        measure.versions("torch", "numpy", "scikit-learn") + f"; {torch.get_num_threads()} threads, n = {args.rounds}",
        "",
        "Linear, 784-10",
        *table(one),
        "",
        "MLP, 784-30-10",
        *table(two),
        "",
        "MLP, 784-512-10",
        *table(three),
        "",
        *right,
        "",
        row("linear: the seeds' shuffled steps / byhand's steps", one[SHUFFLED], one[OURS], "bar: at least 5"),
        row("linear: byhand's steps / floor, 1 thread as they are", one[OURS], one[FLOOR], "bar: at most 1.5"),
        row("linear: byhand's steps / floor, all threads", one[OURS], one[WIDE_FLOOR], "bar: at most 1.5"),
        row("linear: the seeds' shuffled steps / floor, 1 thread", one[SHUFFLED], one[FLOOR], "the end of float32"),
        row("linear: byhand's epoch / the seeds' unshuffled steps", one[EPOCH], one[UNSHUFFLED], "bar: at most 1"),
        row("784-30-10: MLPClassifier, float64 / byhand's epoch", two[SKLEARN], two[EPOCH], "bar: at least 10"),
        row("784-30-10: MLPClassifier, float64 / byhand's steps", two[SKLEARN], two[OURS]),
        row(
            "784-30-10: MLPClassifier, float64 / floor, all threads",
            two[SKLEARN],
            two[WIDE_FLOOR],
            "the end of float32",
        ),
        row("784-30-10: byhand's steps / floor, 1 thread as they are", two[OURS], two[FLOOR]),
        row("784-30-10: fastai's Learner / byhand's epoch", two[FASTAI], two[EPOCH], "bar: at least 40")
        if FASTAI in two
        else "fastai is not installed: not measured",
        row("784-512-10: MLPClassifier, float64 / byhand's epoch", three[SKLEARN], three[EPOCH], "bar: at least 20"),
        row("784-512-10: MLPClassifier, float64 / byhand's steps", three[SKLEARN], three[OURS]),
        row("784-512-10: MLPClassifier, float64 / floor", three[SKLEARN], end, "the end of this processor"),
        row("784-512-10: byhand's steps / floor", three[OURS], end),
        row("784-512-10: byhand's epoch in float32 / as it is", three[EXACT], three[EPOCH]),
    ]
    measure.report("epoch", lines, args.save)


if __name__ == "__main__":
    main()
