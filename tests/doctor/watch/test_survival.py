"""Whatever a program does, it ends as it would alone, and its trace is written."""

import importlib.util
import json
import re

import pytest

TRAINING = """
import torch
torch.manual_seed(0)
x, y = torch.randn(60, 4), torch.arange(60) % 3
w = torch.zeros(4, 3, requires_grad=True)
def fit(epochs):
    for epoch in range(epochs):
        loss = torch.nn.functional.cross_entropy(x @ w, y)
        loss.backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            w.grad = None
"""


def kinds(trace):
    return "".join(one.kind[0] for one in trace.forwards)


@pytest.mark.parametrize(
    ("text", "how", "error", "said"),
    [
        ("import sys; sys.exit()", "done", None, ""),
        ("import sys; sys.exit(0)", "done", None, ""),
        ("import sys; sys.exit(3)", "exit", "sys.exit(3)", ""),
        ("import sys; sys.exit('no data')", "exit", "sys.exit('no data')", "no data\n"),
        ("quit()", "done", None, ""),
        ("import os; os._exit(0)", "done", None, ""),
        ("import os\ntry:\n    os._exit(3)\nexcept Exception:\n    print('held')", "exit", "os._exit(3)", ""),
        ("raise KeyboardInterrupt", "error", "KeyboardInterrupt", "KeyboardInterrupt\n"),
        ("import os; os.abort", "done", None, ""),
        ("import os; os.killpg(0, 15)", "stopped", None, ""),
    ],
)
def test_ends(watched, text, how, error, said):
    trace = watched(TRAINING + "fit(2)\n" + text)
    assert (trace.end.how, trace.end.error) == (how, error)
    assert trace.output.endswith(said)
    assert kinds(trace) == "tt"
    assert trace.notes == ()


def test_a_signal_that_kills_leaves_no_trace_but_is_told(watched):
    trace = watched("print('so far', flush=True)\nimport os; os.kill(os.getpid(), 9)")
    assert trace.end.how == "killed"
    assert "SIGKILL" in trace.end.error
    assert trace.output == "so far\n"


def test_an_exception_with_its_place_and_on_one_line(watched):
    text = "def f(x):\n    y = {}\n    return y[x]\n\nif True:\n    f('two\\nlines')\n"
    trace = watched(TRAINING + "fit(1)\n" + text)
    first = TRAINING.count("\n") + 2
    assert trace.end.how == "error"
    assert trace.end.error == r"KeyError: 'two\nlines'"
    assert (trace.end.place.file, trace.end.place.line) == ("main.py", first + 2)
    assert "byhand" not in trace.output
    lines = re.findall(r'File "(.*)", line (\d+)', trace.output)
    assert [int(line) for _, line in lines] == [first + 5, first + 2]
    assert kinds(trace) == "t"


def test_an_exception_within_what_is_watched(watched):
    trace = watched(TRAINING + "fit(1)\nprint('before')\nz = x @ torch.ones(5, 3)\n")
    assert trace.end.error.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert trace.end.place.line == TRAINING.count("\n") + 3
    assert trace.end.place.column == 4
    assert watched("import numpy as np\nnp.ones((2, 3)) @ np.ones(2)").end.error.startswith("ValueError: matmul")


def test_exceptions_that_the_program_handles(watched):
    trace = watched(
        TRAINING
        + """
try:
    x @ torch.ones(5, 3)
except RuntimeError as error:
    print("handled")
try:
    torch.nn.functional.cross_entropy(x @ w, y + 7)
except IndexError as error:
    print("handled", error)
fit(2)
"""
    )
    assert trace.end.how == "done"
    assert trace.output == "handled\nhandled Target 7 is out of bounds.\n" or trace.output.startswith("handled\n")
    assert kinds(trace)[-2:] == "tt"
    assert trace.notes == ()


def test_input_is_an_empty_line_until_that_leads_nowhere(watched):
    trace = watched("name = input('Your name? ')\nprint([name])\nwhile input() != 'q':\n    pass")
    assert trace.output.startswith("Your name? ['']\n")
    assert trace.end.error == "EOFError: nobody types here"
    assert trace.notes == ("input() was answered with an empty line",)


def test_plots(watched):
    trace = watched(
        """
import matplotlib.pyplot as plt
import numpy as np
fig, axes = plt.subplots(1, 2)
axes[0].imshow(np.eye(8), cmap="gray")
plt.plot([1, 2], label="a")
plt.legend()
plt.show()
plt.savefig("plot.png")
import os
print(os.path.getsize("plot.png") > 0)
"""
    )
    assert trace.end.how == "done"
    assert trace.output == "True\n"


TELLERS = {
    "logging": "import logging\nlogging.basicConfig(level=logging.INFO, format='%(message)s')\nlogging.info('%s', t)",
    "a logger": (
        "import logging, sys\nlog = logging.getLogger('me')\nlog.addHandler(logging.StreamHandler(sys.stdout))\n"
        "log.warning(t)"
    ),
    "write": "import sys\nsys.stdout.write(t[:4])\nsys.stdout.write(t[4:] + '\\n')",
    "a line that is written over": "import sys\nsys.stdout.write('\\repoch 1')\nsys.stdout.write('\\r' + t + '\\n')",
    "print of another kind": "import functools\nsay = functools.partial(print, flush=True)\nsay(t)",
    "print of its own": "import sys\ndef print(*words):\n    sys.stderr.write(' '.join(words) + '\\n')\nprint(t)",
    "builtins": "import builtins\nold = print\nbuiltins.print = lambda *w, **k: old(*w, **k)\nprint(t)",
    "print with options": "print('accuracy:', 0.75, sep=' ', end='\\n', file=__import__('sys').stderr)",
    "a Tee": (
        "import sys\nclass Tee:\n    def __init__(self, s): self.s = s\n"
        "    def write(self, t): return self.s.write(t)\n    def flush(self): self.s.flush()\n"
        "sys.stdout = Tee(sys.stdout)\nprint(t)"
    ),
    "a function of its own": "def tell(t):\n    print(t)\ntell(t)",
}


@pytest.mark.parametrize("how", TELLERS)
def test_what_is_shown_is_seen_however_it_is_shown(watched, how):
    trace = watched("t = 'accuracy: 0.75'\n" + TELLERS[how] + "\n")
    assert trace.end.how == "done"
    assert "accuracy: 0.75\n" in trace.output
    (line,) = (one for one in trace.printed if "0.75" in one.text)
    assert [(one.value, one.words) for one in line.numbers] == [(0.75, "accuracy:")]
    assert line.place is not None


@pytest.mark.skipif(importlib.util.find_spec("tqdm") is None, reason="tqdm is not here")
def test_a_progress_bar_measures_nothing(watched):
    trace = watched("from tqdm import tqdm\nfor i in tqdm(range(3)):\n    tqdm.write(f'loss {i / 2}')\n")
    assert trace.end.how == "done"
    assert [one.numbers[0].value for one in trace.printed] == [0, 0.5, 1]


def test_lines_like_a_progress_bars_measure_nothing(watched):
    trace = watched(
        "import sys\nsys.stderr.write('100%|#####| 3/3 [00:00<00:00, 9.1it/s]\\n')\nsys.stderr.write('x 1\\n')"
    )
    assert [one.text for one in trace.printed] == ["x 1"]


def test_classes_of_main_can_be_pickled(watched):
    trace = watched(
        TRAINING
        + """
import copy, io, pickle
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 3)
    def forward(self, x): return self.fc(x)
net = pickle.loads(pickle.dumps(Net()))
torch.save(net.state_dict(), "net.pt")
net.load_state_dict(torch.load("net.pt"))
torch.save(net, "whole.pt")
other = torch.load("whole.pt", weights_only=False)
print(type(other).__module__, torch.equal(other(x), copy.deepcopy(net)(x)))
"""
    )
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.output == "__main__ True\n"
    assert trace.notes == ()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_its_own(watched, method):
    trace = watched(
        TRAINING.replace("import torch", "import torch, multiprocessing, os")
        + f"""
def work(n):
    fit(n)
    return n * n
if __name__ == "__main__":
    fit(1)
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(work, range(4)))
    fit(1)
"""
    )
    assert (trace.end.how, trace.output) == ("done", "[0, 1, 4, 9]\n")
    assert kinds(trace) == "tt"  # what the others did is theirs


def test_a_thread_that_trains(watched):
    trace = watched(
        TRAINING
        + """
import threading
one = threading.Thread(target=fit, args=(3,))
one.start()
one.join()
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(1) as pool:
    pool.submit(fit, 2).result()
print((x @ w).argmax(1).eq(y).sum().item())
"""
    )
    assert trace.end.how == "done"
    assert kinds(trace) == "ttttte"
    assert trace.notes == ()


def test_a_thread_that_fails_and_two_at_once(watched):
    trace = watched(
        TRAINING
        + """
import threading
def work():
    v = torch.zeros(4, 3, requires_grad=True)
    for _ in range(20):
        torch.nn.functional.cross_entropy(x @ v, y).backward()
        with torch.no_grad():
            v -= 0.1 * v.grad
            v.grad.zero_()
    raise ValueError("mine")
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
fit(2)
print("still here")
"""
    )
    assert trace.end.how == "done"
    assert trace.output.count("ValueError: mine") == 2
    assert trace.output.endswith("still here\n")


def test_compiled_models(watched):
    trace = watched(
        TRAINING
        + """
net = torch.compile(torch.nn.Linear(4, 3))
@torch.compile
def f(z): return z * 2
@torch.compile(mode="reduce-overhead")
def g(z): return z * 2
other = torch.nn.Linear(4, 3)
other.compile()
print(f(net(x)).shape, g(other(x)).shape)
"""
    )
    assert trace.end.how == "done"
    assert trace.notes == ("torch.compile was switched off",)
    assert kinds(trace) == "e"  # the same rows, and nothing was trained


def test_scripted_and_traced_models(watched):
    trace = watched(
        TRAINING
        + """
@torch.jit.script
def double(z: torch.Tensor) -> torch.Tensor:
    if z.sum() == 0:
        return z
    return z * 2
def mean(z: torch.Tensor):
    out = z.mean() * 3
    return out
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 3)
    def forward(self, x):
        out = torch.relu(self.fc(x))
        return out.argmax(1)
net = torch.jit.script(Net())
print(double(x).shape, torch.jit.script(mean)(x).shape, net(x).shape)
print(torch.jit.trace(torch.nn.Linear(4, 3), x)(x).shape)
print(torch.fx.symbolic_trace(torch.nn.Linear(4, 3))(x).shape)
"""
    )
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.output.count("torch.Size") == 5


def test_functional_transforms(watched):
    trace = watched(
        TRAINING
        + """
from torch.func import functional_call, grad, vmap, jacrev
net = torch.nn.Linear(4, 3)
params = {name: p.detach() for name, p in net.named_parameters()}
def loss(params, x, y):
    return torch.nn.functional.cross_entropy(functional_call(net, params, (x,)), y)
for step in range(3):
    g = grad(loss)(params, x, y)
    params = {name: p - 0.5 * g[name] for name, p in params.items()}
each = vmap(grad(loss), in_dims=(None, 0, 0))(params, x, y)
print(each["weight"].shape, jacrev(lambda z: (z @ z.T).sum())(x).shape)
print(loss(params, x, y).item() < 1.2)
print(vmap(lambda row: row.argmax() == 1)(functional_call(net, params, (x,))).shape)
"""
    )
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.output.splitlines()[1] == "True"
    assert trace.notes == ("what runs within torch.func's transforms was not watched",)


def test_it_reads_its_own_source(watched):
    text = """
import inspect, os, sys
def f(x):
    y = x @ x
    return y  # here
print(inspect.getsource(f))
print(os.path.basename(__file__), __name__, sys.argv, f.__module__, f.__code__.co_firstlineno)
print(len(open(__file__).read()), __spec__, "__byhand__" in globals(), sys.modules["__main__"].f is f)
"""
    trace = watched(text)
    assert trace.end.how == "done"
    assert trace.output.startswith("def f(x):\n    y = x @ x\n    return y  # here\n\n")
    assert trace.output.endswith(f"main.py __main__ ['main.py'] __main__ 3\n{len(text)} None False True\n")


def test_arguments(watched):
    text = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("name")
args = parser.parse_args()
print(args.lr, args.name)
"""
    assert watched(text, arguments=("--lr", "0.5", "me")).output == "0.5 me\n"
    wrong = watched(text)
    assert (wrong.end.how, wrong.end.error) == ("exit", "sys.exit(2)")
    assert "usage: main.py" in wrong.output


def test_modules_packages_and_files_of_its_own(watched, tmp_path):
    (tmp_path / "net" / "parts").mkdir(parents=True)
    (tmp_path / "helpers.py").write_text(
        "import torch\ndef step(w, lr):\n    w.data -= lr * w.grad\n    w.grad = None\n"
    )
    (tmp_path / "net" / "__init__.py").write_text("from .parts.linear import score\nfrom .parts import linear\n")
    (tmp_path / "net" / "parts" / "__init__.py").write_text("")
    (tmp_path / "net" / "parts" / "linear.py").write_text("def score(x, w):\n    return x @ w\n")
    (tmp_path / "rows.csv").write_text("1,2\n3,4\n5,7\n")
    trace = watched(
        """
import numpy as np, torch
from helpers import step
import net
x = torch.from_numpy(np.loadtxt("rows.csv", delimiter=",")).float()
y = torch.tensor([0, 1, 1])
w = torch.zeros(2, 2, requires_grad=True)
for i in range(4):
    torch.nn.functional.cross_entropy(net.score(x, w), y).backward()
    step(w, 0.1)
""",
        folder=tmp_path,
    )
    assert trace.end.how == "done"
    assert kinds(trace) == "tttt"
    assert {one.place.file for one in trace.forwards} == {"net/parts/linear.py"}
    assert [place.file for place in trace.forwards[0].stack] == ["net/parts/linear.py", "main.py"]
    assert trace.trainings[0].place.file == "helpers.py"
    assert {one.file for one in trace.files} >= {"main.py", "helpers.py", "net/parts/linear.py"}


def test_a_missing_package_or_file_is_one_line(watched):
    trace = watched("import torch\n\nimport no_such_package.of_mine")
    assert (trace.end.error, trace.end.place.line) == ("ModuleNotFoundError: No module named 'no_such_package'", 3)
    trace = watched("text = open('no_such.csv').read()")
    assert trace.end.error == "FileNotFoundError: [Errno 2] No such file or directory: 'no_such.csv'"


def test_warnings_are_the_programs_business(watched):
    trace = watched("import warnings\nwarnings.simplefilter('error')\n" + TRAINING + "fit(2)\nprint('well')")
    assert (trace.end.how, trace.output) == ("done", "well\n")
    trace = watched(
        "import warnings, numpy as np\nwarnings.simplefilter('error')\n"
        "try:\n    np.log(np.zeros(2))\nexcept RuntimeWarning as w:\n    print(w)\n"
        "with warnings.catch_warnings(record=True) as caught:\n    warnings.simplefilter('always')\n"
        "    np.zeros(1) / np.zeros(1)\nprint(len(caught))\n"
    )
    assert trace.output == "divide by zero encountered in log\n1\n"


def test_numpys_warnings_are_of_the_users_line_and_once_for_each(watched):
    text = (
        "import numpy as np\nz = np.zeros(2)\nfor i in range(3):\n    a = np.log(z)\n    b = 1 / z\n"
        "print(a[0])\nc = np.log(z)\n"
    )
    trace = watched(text)
    assert re.findall(r"main\.py:(\d+): RuntimeWarning: divide by zero", trace.output) == ["4", "5", "7"]
    assert "    a = np.log(z)\n" in trace.output or "  a = np.log(z)\n" in trace.output
    assert "hooks.py" not in trace.output


def test_recursion_and_generators(watched):
    trace = watched(
        TRAINING
        + """
def down(n):
    for i in range(1):
        return n if n == 0 else down(n - 1) + 1
print(down(900))
def forever(n):
    return forever(n + 1) == 0
try:
    forever(0)
except RecursionError:
    print("too deep")
def batches(k):
    while True:
        for i in range(0, 60, k):
            yield x[i:i + k], y[i:i + k]
for step, (xb, yb) in zip(range(5), batches(20)):
    loss = torch.nn.functional.cross_entropy(xb @ w, yb)
    loss.backward()
    w.data -= 0.1 * w.grad
    w.grad.zero_()
print(sum(n for n in (i * i for i in range(4))))
async def later():
    return 1
import asyncio
print(asyncio.run(later()))
"""
    )
    assert trace.end.how == "done"
    assert trace.output == "900\ntoo deep\n14\n1\n"
    assert [(one.kind, one.n) for one in trace.forwards] == [("train", 20)] * 5
    assert trace.trainings[0].loop.line == TRAINING.count("\n") + 16


def test_a_long_training_is_shortened_and_the_program_goes_on_to_its_own_evaluation(watched):
    trace = watched(TRAINING + "fit(10 ** 9)\nprint('end', (x @ w).argmax(1).eq(y).float().mean().item())", soft=1.0)
    assert trace.end.how == "shortened"
    done, planned = trace.end.epochs
    assert planned == 10**9
    assert done == trace.trainings[0].last
    assert trace.output.startswith("end ")
    assert kinds(trace)[-1] == "e"
    assert trace.predictions


def test_training_ends_after_so_many_steps(watched):
    trace = watched(TRAINING + "fit(50)\nprint('end')\n", steps=7)
    assert (trace.end.how, trace.end.epochs, trace.output) == ("shortened", (7, 50), "end\n")
    assert kinds(trace) == "t" * 7


@pytest.mark.parametrize(
    "text",
    [
        "while True:\n    pass",
        "while True:\n    try:\n        fit(3)\n    except:\n        pass",
        "import time\ntime.sleep(100)",
    ],
)
def test_without_an_end_the_trace_is_written_all_the_same(watched, text):
    trace = watched(TRAINING + "fit(2)\n" + text, hard=1.2)
    assert trace.end.how == "stopped"
    assert trace.end.place.line > TRAINING.count("\n") + 1
    assert kinds(trace).startswith("tt")


def test_steps_with_a_closure(watched):
    trace = watched(
        TRAINING
        + """
opt = torch.optim.LBFGS([w], lr=0.5, max_iter=4)
def closure():
    opt.zero_grad()
    loss = torch.nn.functional.cross_entropy(x @ w, y)
    loss.backward()
    return loss
for i in range(2):
    loss = opt.step(closure)
print((x @ w).argmax(1).eq(y).sum().item())
"""
    )
    assert trace.end.how == "done"
    assert trace.optimizers[0].steps == 2
    assert set(kinds(trace)[:-1]) == {"t"}
    assert kinds(trace)[-1] == "e"
    assert trace.notes == ()


def notebook(*cells):
    return json.dumps(
        {
            "cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells],
            "metadata": {"language_info": {"name": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def test_a_notebook(watched):
    trace = watched(
        notebook(
            "%matplotlib inline\n!pip install torch\nimport matplotlib.pyplot as plt\nx = 1",
            "%time y = x + 1\ny",
            "%%time\nfor i in range(2):\n    z = y * i\nz / 8",
            "get_ipython().run_line_magic('matplotlib', 'inline')\nget_ipython().system('ls')\ndisplay(y, 0.25)\nz;",
            "from IPython.display import clear_output, display\ndisplay('of its own')",
            "print('__file__' in globals(), __name__)\nNone",
            "plt.plot([1])\nplt.show()",
        ),
        file="main.ipynb",
    )
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.output.startswith("2\n0.25\n2\n0.25\nof its own\nFalse __main__\n")
    assert [(one.text, one.place.cell, one.values) for one in trace.printed[:4]] == [
        ("2", 2, ()),
        ("0.25", 3, (0.25,)),
        ("2", 4, ()),
        ("0.25", 4, (0.25,)),
    ]
    assert [one.skipped for one in trace.files[:3]] == [(1, 2), (), ()]
    assert trace.notes == (
        "get_ipython().run_line_magic('matplotlib', 'inline') did nothing",
        "get_ipython().system('ls') did nothing",
    )


def test_an_error_in_a_cell_with_cell_and_line(watched):
    trace = watched(notebook("a = 1", "def f():\n    return a / 0", "b = 2\nf()", "print('never')"), file="main.ipynb")
    assert trace.end.error == "ZeroDivisionError: division by zero"
    assert (trace.end.place.cell, trace.end.place.line, trace.end.place.file) == (2, 2, "main.ipynb")
    assert "never" not in trace.output
    trace = watched(notebook("a = 1", "b = 2", "\na[0]"), file="main.ipynb")
    assert (trace.end.place.cell, trace.end.place.line) == (3, 2)
