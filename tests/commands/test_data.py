import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

NAMES = ["digits", "mnist", "fashion-mnist", "kmnist"]


def run(*args, **env):
    """``byhand data ARGS`` as a process of its own."""
    command = [sys.executable, "-m", "byhand", "data", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | env, check=False, encoding="utf-8")


def result(*args, **env):
    """The JSON object that the command prints."""
    done = run(*args, "--json", **env)
    assert (done.returncode, done.stderr) == (0, "")
    fields = json.loads(done.stdout)
    assert fields["schema"] == "byhand.data/1"
    assert fields["action"] == args[0]
    return fields


def failure(status, *args, **env):
    """The one line on standard error with which the command stops."""
    done = run(*args, **env)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("byhand: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture
def pictures(tmp_path):
    """Two classes: three pictures of the one, five of the other."""
    for name, count in (("[b]cat", 3), ("dog", 5)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for row in range(count):
            image = np.full((6, 4), 10 * row + 7, np.uint8)
            image[0, 0] = len(name)
            Image.fromarray(image).save(tmp_path / "pets" / name / f"{row}.png")
    return tmp_path / "pets"


def test_list_says_where_each_is_or_how_to_get_it(mnist_path):
    done = run("list", BYHAND_DATA=str(mnist_path))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *NAMES]
    assert lines[2].endswith(str(mnist_path))
    assert lines[3].endswith("byhand data get fashion-mnist")
    fields = result("list", BYHAND_DATA=str(mnist_path))["sources"]
    assert [source["name"] for source in fields] == NAMES
    assert fields[1]["path"] == str(mnist_path)
    assert fields[2]["path"] is None
    assert fields[2]["mirrors"]
    assert run("list", "--quiet").stdout.split() == NAMES


def test_get_names_the_copy_that_is_there(mnist_path):
    env = {"BYHAND_DATA": str(mnist_path)}
    assert result("get", "mnist", **env) | {"schema": 0} == {
        "schema": 0,
        "action": "get",
        "name": "mnist",
        "path": str(mnist_path),
        "fetched": False,
    }
    assert run("get", "mnist", "--quiet", **env).stdout == f"{mnist_path}\n"
    assert "was here already" in run("get", "mnist", **env).stdout


def test_get_without_a_network_is_one_line_and_status_3(home):
    nothing = "http://127.0.0.1:9"
    text = failure(3, "get", "kmnist", http_proxy=nothing, https_proxy=nothing, no_proxy="")
    assert "kmnist: cannot be downloaded" in text
    assert "$BYHAND_DATA" in text
    assert list((home / "byhand").rglob("*.gz*")) == []


def test_an_unknown_name_is_status_2():
    assert "emnist: no data set of that name" in failure(2, "get", "emnist")
    assert "no data set of that name" in failure(2, "info", "emnist")


def test_info_counts_a_folder_of_pictures(pictures):
    fields = result("info", pictures, "--valid", "0")
    assert fields["size"] == [6, 4]
    assert fields["classes"] == ["[b]cat", "dog"]
    assert fields["path"] == str(pictures)
    parts = fields["parts"]
    assert [sum(column) for column in zip(*(part["counts"] for part in parts.values()), strict=True)] == [3, 5]
    assert sum(part["images"] for part in parts.values()) == 8
    assert parts["valid"]["pixels"] is None
    assert len(fields["hash"]) == 64
    assert run("info", pictures, "--valid", "0", "--quiet").stdout == fields["hash"] + "\n"


def test_info_for_people_holds_the_same_figures(pictures):
    text = run("info", pictures, "--valid", "0").stdout
    fields = result("info", pictures, "--valid", "0")
    assert "2 classes, 6×4 pixels" in text
    assert fields["hash"] in text
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[5:]}
    for index, label in enumerate(fields["classes"]):
        assert [int(count) for count in rows[label]] == [part["counts"][index] for part in fields["parts"].values()]


def test_info_of_mnist_is_what_is_known_of_it(mnist_path):
    fields = result("info", "mnist", BYHAND_DATA=str(mnist_path))
    assert fields["parts"]["test"]["counts"] == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert fields["parts"]["train"]["images"] + fields["parts"]["valid"]["images"] == 60_000
    assert fields["parts"]["train"]["pixels"] == [0, 255]
    assert fields["size"] == [28, 28]
    assert fields["path"] == str(mnist_path)


def test_info_passes_the_options_for_pictures_on(pictures):
    Image.new("RGB", (9, 9), "red").save(pictures / "dog" / "9.png")
    assert "has colours (RGB)" in failure(3, "info", pictures)
    assert "9×9 pixels, but the first picture has 4×6" in failure(3, "info", pictures, "--grayscale")
    assert result("info", pictures, "--grayscale", "--size", "5")["size"] == [5, 5]


def test_a_broken_picture_is_one_line_and_leaves_nothing_in_the_cache(pictures, home):
    (pictures / "dog" / "2.png").write_bytes((pictures / "dog" / "2.png").read_bytes()[:-20])
    text = failure(3, "info", pictures)
    assert f"{pictures}/dog/2.png: truncated" in text
    assert [path for path in (home / "byhand").rglob("*") if path.is_file()] == []


def test_no_command_is_usage_and_help_lists_the_three():
    assert run().returncode == 2
    text = run("--help").stdout
    for command in ("list", "get", "info"):
        assert command in text


def test_torch_is_not_imported(pictures):
    code = (
        "import sys; from byhand.commands.data import info; info(sys.argv[1], quiet=True);"
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'pandas', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, pictures], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_table_without_the_markup_of_names(pictures):
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "byhand", "data", "info", str(pictures), "--valid", "0"]
    with subprocess.Popen(command, stdout=slave, env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}) as process:
        os.close(slave)
        text = b""
        while piece := _read(master):
            text += piece
        assert process.wait() == 0
    os.close(master)
    shown = text.decode()
    assert "[b]cat" in shown
    assert "┃" in shown


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # what Linux says at the end of a terminal
        return b""
