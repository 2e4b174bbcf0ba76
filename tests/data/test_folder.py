import os
import re

import numpy as np
import pytest
from PIL import Image

from byhand.data.folder import list_images, read_image_folder
from byhand.errors import DataError

RNG = np.random.default_rng(1)


def draw(path, shape=(28, 28), kind="PNG"):
    image = RNG.integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, kind)
    return image


def tree(root, parts=("training", "testing"), classes="0123456789", each=2):
    """A folder of random pictures, with the arrays as they should be read: {part: (images, labels)}."""
    expected = {}
    for part in parts or ("",):
        images, labels = [], []
        for label, name in enumerate(classes):
            for row in range(each):
                images.append(draw(root / part / name / f"{row}.png"))
                labels.append(label)
        expected[part] = np.stack(images), np.array(labels)
    return expected


def refused(path, **options):
    """The message with which a folder is refused: one line, with something to do."""
    with pytest.raises(DataError) as error:
        read_image_folder(path, **options)
    assert "\n" not in str(error.value)
    assert "; " in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "names",
    [
        ("training", "testing"),
        ("train", "valid", "test"),
        ("train", "test"),
        ("train", "valid"),
        ("Train", "Validation"),
        ("train", "val"),
        ("train",),
    ],
)
def test_every_layout_gives_its_parts(tmp_path, names):
    expected = tree(tmp_path, names)
    raw = read_image_folder(tmp_path)
    assert raw.classes == tuple("0123456789")
    assert (raw.valid is None) == (not any(name.lower().startswith("val") for name in names))
    assert (raw.test is None) == ("test" not in names and "testing" not in names)
    for name in names:
        part = {"tr": raw.train, "va": raw.valid, "te": raw.test}[name[:2].lower()]
        images, labels = expected[name]
        assert np.array_equal(part.images, images)
        assert np.array_equal(part.labels, labels)
        assert (part.images.dtype, part.labels.dtype) == (np.uint8, np.int64)


def test_class_folders_alone_are_the_training_part(tmp_path):
    images, labels = tree(tmp_path, ())[""]
    raw = read_image_folder(str(tmp_path))
    assert np.array_equal(raw.train.images, images)
    assert np.array_equal(raw.train.labels, labels)
    assert raw.valid is raw.test is None


def test_classes_and_files_are_sorted_as_people_count(tmp_path):
    for name in ("10", "9", "2", "b10", "b9", "a", "٣"):
        for file in ("10.png", "9.png", "100.png"):
            draw(tmp_path / name / file, (2, 3))
    found = list_images(tmp_path)
    assert found.classes == ("2", "9", "10", "a", "b9", "b10", "٣")
    assert [os.path.basename(file) for file in found.files()[:3]] == ["9.png", "10.png", "100.png"]
    assert read_image_folder(tmp_path).train.images.shape == (21, 2, 3)


def test_train_can_be_a_class(tmp_path):
    for name in ("bus", "train", "test"):
        draw(tmp_path / name / "a.png")
    assert read_image_folder(tmp_path).classes == ("bus", "test", "train")


def test_the_genuine_digits_come_back_as_they_went_in(tmp_path, mnist_path):
    from byhand.data.idx import read_idx_folder

    test = read_idx_folder(mnist_path).test
    for row in range(500):
        target = tmp_path / str(test.labels[row]) / f"{row}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(test.images[row]).save(target, optimize=row % 2 == 0)
    read = read_image_folder(tmp_path).train
    order = np.argsort(test.labels[:500], kind="stable")
    assert np.array_equal(read.images, test.images[:500][order])
    assert np.array_equal(read.labels, test.labels[:500][order])


def test_all_ways_of_storing_the_same_grey_give_the_same_array(tmp_path):
    image = draw(tmp_path / "0" / "plain.png")
    stored = Image.fromarray(image)
    stored.save(tmp_path / "0" / "level0.png", compress_level=0)
    stored.save(tmp_path / "0" / "text.png", pnginfo=_text())
    stored.quantize(256).save(tmp_path / "0" / "palette.png")
    stored.convert("LA").save(tmp_path / "0" / "alpha.png")
    Image.fromarray(image.astype(np.uint16) * 257).save(tmp_path / "0" / "sixteen.png")
    assert (read_image_folder(tmp_path).train.images == image).all()


def _text():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "me")
    return info


def test_jpeg_and_wrong_suffixes_are_judged_by_content(tmp_path):
    draw(tmp_path / "0" / "a.png", kind="JPEG")
    draw(tmp_path / "0" / "b.jpeg")
    draw(tmp_path / "0" / "c")
    assert read_image_folder(tmp_path).train.images.shape == (3, 28, 28)


def test_hidden_files_are_skipped(tmp_path):
    tree(tmp_path)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "training/0/.a.png.swp", "training/0/Thumbs.db", "README.md"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "training" / ".ipynb_checkpoints").mkdir()
    assert len(read_image_folder(tmp_path).train.labels) == 20


def test_a_colour_picture_needs_the_option(tmp_path):
    tree(tmp_path, ())
    colour = draw(tmp_path / "3" / "z.png", (28, 28, 3))
    assert refused(tmp_path) == (
        f"{tmp_path}/3/z.png: has colours (RGB); pass grayscale=True (--grayscale) to make it grey"
    )
    read = read_image_folder(tmp_path, grayscale=True).train
    row = [os.path.basename(file) for file in list_images(tmp_path).files()].index("z.png")
    assert np.abs(read.images[row] - colour @ [0.299, 0.587, 0.114]).max() <= 1


def test_the_first_picture_of_another_size_is_named(tmp_path):
    tree(tmp_path, ())
    draw(tmp_path / "4" / "z.png", (30, 20))
    draw(tmp_path / "6" / "z.png", (31, 20))
    assert refused(tmp_path) == (
        f"{tmp_path}/4/z.png: 20×30 pixels, but the first picture has 28×28; "
        "pass size=28 (--size 28) to resize them all"
    )
    assert read_image_folder(tmp_path, size=28).train.images.shape == (22, 28, 28)


def test_parts_of_different_sizes_are_an_error(tmp_path):
    for name in "01":
        draw(tmp_path / "train" / name / "a.png")
        draw(tmp_path / "test" / name / "a.png", (20, 20))
    assert "test/0/a.png: 20×20 pixels, but the first picture has 28×28" in refused(tmp_path)


def test_resizing_is_antialiased_and_leaves_the_right_size_alone(tmp_path):
    image = draw(tmp_path / "0" / "a.png")
    Image.fromarray(np.kron(image, np.ones((4, 4), np.uint8))).save(tmp_path / "0" / "b.png")
    checks = (np.indices((56, 56)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checks).save(tmp_path / "0" / "c.png")
    exact, enlarged, grey = read_image_folder(tmp_path, size=28).train.images
    assert np.array_equal(exact, image)
    assert np.corrcoef(enlarged.ravel(), image.ravel())[0, 1] > 0.8
    assert np.abs(grey[1:-1, 1:-1] - 127.5).max() < 2, "picking single pixels would give only 0 or only 255"


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_is_positive(tmp_path, size):
    with pytest.raises(ValueError, match="at least 1"):
        read_image_folder(tmp_path, size=size)


def test_faults_of_the_layout_name_the_folder(tmp_path):
    assert "no such file or folder" in refused(tmp_path / "absent")
    assert "has no class folders" in refused(tmp_path)
    (tmp_path / "0").mkdir()
    assert refused(tmp_path).startswith(f"{tmp_path}/0: an empty class folder")
    draw(tmp_path / "0" / "a.png")
    draw(tmp_path / "b.png")
    assert refused(tmp_path).startswith(f"{tmp_path}/b.png: outside a class folder")
    (tmp_path / "b.png").unlink()
    (tmp_path / "0" / "inner").mkdir()
    assert refused(tmp_path).startswith(f"{tmp_path}/0/inner: a folder inside a class folder")
    (tmp_path / "0" / "inner").rmdir()
    (tmp_path / "0" / "labels.csv").write_text("a,b")
    assert refused(tmp_path).startswith(f"{tmp_path}/0/labels.csv: no picture, not PNG or JPEG")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    assert "is a file, not a folder" in refused(tmp_path / "a.png")
    assert "NUL" in refused(f"{tmp_path}/\0")


def test_parts_must_agree(tmp_path):
    tree(tmp_path, classes="012")
    draw(tmp_path / "testing" / "3" / "a.png")
    assert "testing: class '3' is only in this part" in refused(tmp_path)
    draw(tmp_path / "training" / "3" / "a.png")
    draw(tmp_path / "training" / "4" / "a.png")
    assert "testing: class '4' is not in this part" in refused(tmp_path)
    draw(tmp_path / "testing" / "4" / "a.png")
    draw(tmp_path / "models" / "0" / "a.png")
    assert "models: stands beside test, train but is no part" in refused(tmp_path)
    (tmp_path / "models").rename(tmp_path / "train")
    assert "a second train part" in refused(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_said(tmp_path):
    tree(tmp_path, ())
    (tmp_path / "0" / "0.png").chmod(0)
    assert "permission denied" in refused(tmp_path)


def test_a_link_to_nothing_and_a_loop_are_said(tmp_path):
    tree(tmp_path, ())
    (tmp_path / "0" / "z.png").symlink_to(tmp_path / "nowhere")
    assert re.match(rf"{tmp_path}/0/z\.png: no such file", refused(tmp_path))
    (tmp_path / "0" / "z.png").unlink()
    (tmp_path / "0" / "z.png").symlink_to(tmp_path / "0" / "z.png")
    assert "link" in refused(tmp_path)


def test_more_than_memory_is_refused_before_it_is_taken(tmp_path):
    (tmp_path / "0").mkdir()
    Image.new("L", (7999, 7999)).save(tmp_path / "0" / "a.png")
    for row in range(40):
        (tmp_path / "0" / f"b{row}.png").hardlink_to(tmp_path / "0" / "a.png")
    assert "41 pictures of 7999×7999 pixels take 2,623,344,041 bytes" in refused(tmp_path)


def test_a_damaged_picture_among_good_ones_is_named(tmp_path):
    tree(tmp_path, (), each=3)
    whole = (tmp_path / "5" / "1.png").read_bytes()
    for broken in (whole[:-1], whole[:50], whole[:60] + b"\0" + whole[61:], b"", b"GIF89a" + whole):
        (tmp_path / "5" / "1.png").write_bytes(broken)
        assert refused(tmp_path).startswith(f"{tmp_path}/5/1.png: ")
