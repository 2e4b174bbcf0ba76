"""How long is an epoch? byhand's linear learner and its 784-30-10, beside the ways in which people write them.

All train on MNIST's 60,000 images with batches of 256 and evaluate on 60,000 and 10,000, in one process, in turn. The
floor is what no program can go below at this precision: each batch is gathered from the array of bytes, converted to
float32, and multiplied by matrices of the sizes that forward and backward need, in the fastest of the orders in which
these products can be written.
"""

from collections.abc import Callable

import measure
import torch
import torch.nn.functional as F
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import byhand
from byhand.data.loader import loaders
from byhand.optim import constant
from byhand.progress import Table

BATCH = 256


class Byhand:
    """Steps alone, and epochs as ``fit`` runs them."""

    def __init__(self, model: byhand.Sequential, data: byhand.Dataset, lr: float) -> None:
        dls = loaders(data.train, data.test, BATCH)
        self.learn = byhand.Learner(dls, model, metrics=byhand.accuracy, quiet=True)
        self.learn.fit(0)  # the row of epoch 0, so that it is not part of an epoch measured
        self.lr = lr

    def steps(self) -> None:
        self.learn._epoch(self.learn.optimizer(), 1, constant(self.lr), Table([], quiet=True))

    def epoch(self) -> None:
        self.learn.fit(1, self.lr)


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


def floor(pixels: Tensor, sizes: tuple[int, ...], threads: int) -> Callable[[], None]:
    """Gathers, conversions and products alone: forward, and backward for the weights and what lies between layers."""
    before = torch.get_num_threads()

    @torch.inference_mode()
    def run() -> None:
        torch.set_num_threads(threads)
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        weights = [torch.randn(shape) for shape in shapes]  # (O, I)
        grads = [torch.randn(outputs, BATCH) for outputs, _ in shapes]  # (O, B)
        for rows in torch.randperm(len(pixels)).split(BATCH):
            x = pixels.index_select(0, rows).float().t()  # (P, B)
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
SHUFFLED = "the seeds' loop, shuffled, steps"
UNSHUFFLED = "the seeds' loop, unshuffled, steps"
EPOCH = "byhand, epoch with both evaluations"
SKLEARN = "scikit-learn MLPClassifier, float64, epoch"
FASTAI = "fastai Learner, epoch with one evaluation"


def main() -> None:
    args = measure.options(__doc__, rounds=11)
    torch.manual_seed(0)
    data = byhand.load(measure.data_folder(), valid=0)
    pixels = torch.as_tensor(data.train.images).reshape(-1, 784)  # (N, P)
    x, y = pixels.float() / 255, torch.as_tensor(data.train.labels)
    vx, vy = torch.as_tensor(data.test.images).reshape(-1, 784).float() / 255, torch.as_tensor(data.test.labels)
    labels = data.train.labels

    ours = Byhand(byhand.LinearClassifier(784, 10), data, 0.25)
    shuffled, unshuffled = (Seeds(x, y.unsqueeze(1), vx, vy.unsqueeze(1), shuffle) for shuffle in (True, False))
    plain = Torch(nn.Linear(784, 10), x, y, vx, vy)
    sgd = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01)
    linear = measure.in_turn(
        {
            OURS: ours.steps,
            FLOOR: floor(pixels, (784, 10), 1),
            WIDE_FLOOR: floor(pixels, (784, 10), torch.get_num_threads()),
            SHUFFLED: shuffled.steps,
            UNSHUFFLED: unshuffled.steps,
            "TensorDataset and DataLoader, steps": plain.steps,
            EPOCH: ours.epoch,
            "the seeds' loop, shuffled, with its validation": shuffled.epoch,
            "TensorDataset, epoch with both evaluations": plain.epoch,
            "scikit-learn SGDClassifier, epoch": lambda: sgd.partial_fit(x.numpy(), labels, classes=range(10)),
        },
        args.rounds,
    )

    ours = Byhand(byhand.MLP(784, [30], 10), data, 0.1)
    plain = Torch(nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 10)), x, y, vx, vy)
    double, single = MLPClassifier((30,)), MLPClassifier((30,))
    x64 = data.train.images.reshape(-1, 784) / 255
    mlp = measure.in_turn(
        {
            OURS: ours.steps,
            FLOOR: floor(pixels, (784, 30, 10), 1),
            WIDE_FLOOR: floor(pixels, (784, 30, 10), torch.get_num_threads()),
            "TensorDataset and DataLoader, steps": plain.steps,
            EPOCH: ours.epoch,
            "TensorDataset, epoch with both evaluations": plain.epoch,
            SKLEARN: lambda: double.partial_fit(x64, labels, classes=range(10)),
            "scikit-learn MLPClassifier, float32, epoch": lambda: single.partial_fit(
                x.numpy(), labels, classes=range(10)
            ),
        }
        | fastai(x, y, vx, vy),
        args.rounds,
    )

    def row(name: str, slow: list[float], fast: list[float], bar: str = "") -> str:
        return f"{name:64}{measure.ratio(slow, fast):24}{bar}"

    lines = [
        measure.versions("torch", "numpy", "scikit-learn") + f"; {torch.get_num_threads()} threads, n = {args.rounds}",
        "",
        "Linear, 784-10",
        *table(linear),
        "",
        "MLP, 784-30-10",
        *table(mlp),
        "",
        row("linear: the seeds' shuffled steps / byhand's steps", linear[SHUFFLED], linear[OURS], "bar: at least 5"),
        row("linear: byhand's steps / floor, 1 thread as they are", linear[OURS], linear[FLOOR], "bar: at most 1.5"),
        row("linear: byhand's steps / floor, all threads", linear[OURS], linear[WIDE_FLOOR], "bar: at most 1.5"),
        row(
            "linear: the seeds' shuffled steps / floor, 1 thread", linear[SHUFFLED], linear[FLOOR], "the end of float32"
        ),
        row(
            "linear: byhand's epoch / the seeds' unshuffled steps", linear[EPOCH], linear[UNSHUFFLED], "bar: at most 1"
        ),
        row("MLP: MLPClassifier, float64 / byhand's epoch", mlp[SKLEARN], mlp[EPOCH], "bar: at least 10"),
        row("MLP: MLPClassifier, float64 / byhand's steps", mlp[SKLEARN], mlp[OURS]),
        row("MLP: MLPClassifier, float64 / floor, all threads", mlp[SKLEARN], mlp[WIDE_FLOOR], "the end of float32"),
        row("MLP: byhand's steps / floor, 1 thread as they are", mlp[OURS], mlp[FLOOR]),
        row("MLP: fastai's Learner / byhand's epoch", mlp[FASTAI], mlp[EPOCH], "bar: at least 40")
        if FASTAI in mlp
        else "fastai is not installed: not measured",
    ]
    measure.report("epoch", lines, args.save)


if __name__ == "__main__":
    main()
