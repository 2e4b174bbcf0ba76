"""The data sets that have a name: what they are, and the files as their authors published them.

MNIST's ``content`` digests were computed from the genuine files (raw md5 6bbc9ace…, a25bea73…, 2646ac64…, 27ae3e4e…).
The SHA-256 of the compressed files are those that PyTorch's torchvision lists in its prototype data sets, beside the
md5 of its released ones: f68b3c2d… (MNIST), 8d4fb7e6… (Fashion-MNIST), bdb82020… (KMNIST) for the training images.
"""

from dataclasses import dataclass
from typing import Final, final

from byhand.errors import UsageError
from byhand.text import one_line


@final
@dataclass(frozen=True, slots=True)
class File:
    """One compressed IDX file as its authors published it; ``content`` is the SHA-256 of what it unpacks to."""

    name: str
    size: int
    sha256: str
    content: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A named data set. ``folders`` are the names that its folder goes by, in lower case, without - and _."""

    name: str
    title: str
    images: str
    classes: tuple[str, ...]
    folders: tuple[str, ...] = ()
    torchvision: str = ""
    mirrors: tuple[str, ...] = ()
    files: tuple[File, ...] = ()


_DIGITS: Final = tuple("0123456789")
_FASHION: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_KUZUSHIJI: Final = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_TRAIN_IMAGES, _TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

SOURCES: Final = (
    Source("digits", "handwritten digits that come with scikit-learn", "1,797 of 8×8", _DIGITS),
    Source(
        name="mnist",
        title="handwritten digits (LeCun, Cortes, Burges)",
        images="60,000 + 10,000 of 28×28",
        classes=_DIGITS,
        folders=("mnist", "mnistpng", "digitrecognizer"),
        torchvision="MNIST",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        files=(
            File(
                _TRAIN_IMAGES,
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            File(
                _TRAIN_LABELS,
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            File(
                _TEST_IMAGES,
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            File(
                _TEST_LABELS,
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    ),
    Source(
        name="fashion-mnist",
        title="pictures of clothes (Zalando Research)",
        images="60,000 + 10,000 of 28×28",
        classes=_FASHION,
        folders=("fashionmnist", "fashion"),
        torchvision="FashionMNIST",
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files=(
            File(_TRAIN_IMAGES, 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            File(_TRAIN_LABELS, 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            File(_TEST_IMAGES, 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            File(_TEST_LABELS, 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
    ),
    Source(
        name="kmnist",
        title="cursive Japanese characters (ROIS-DS CODH)",
        images="60,000 + 10,000 of 28×28",
        classes=_KUZUSHIJI,
        folders=("kmnist", "kuzushijimnist"),
        torchvision="KMNIST",
        mirrors=(
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        files=(
            File(_TRAIN_IMAGES, 18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            File(_TRAIN_LABELS, 29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            File(_TEST_IMAGES, 3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            File(_TEST_LABELS, 5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
    ),
)
NAMES: Final = tuple(source.name for source in SOURCES)


def describe(name: str) -> Source:
    """The source of that name.

    Raises:
        UsageError: there is none.
    """
    for source in SOURCES:
        if source.name == name:
            return source
    raise UsageError(f"{one_line(name)}: no data set of that name; names are {', '.join(NAMES)}")
