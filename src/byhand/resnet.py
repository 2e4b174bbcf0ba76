"""ResNet-18: eighteen layers that can be trained, because every two of them only add to what they are given.

A deep stack of layers ought to be no worse than a shallow one, since it could hand its input on; but gradient descent
does not find that. A residual block hands it on by itself, and its two convolutions F learn the difference:

    y = ReLU(x + F(x)),     so that with s = x + F(x):  ∂L/∂x = ∂L/∂s + (∂F/∂x)ᵀ ∂L/∂s,

and the gradient comes back through the sum as it is, however deep the block lies. With the last scale of F at zero
each block begins as ReLU(x).

Names and shapes of the parameters are torchvision's, so that weights published for its ``resnet18`` fit
(``published``). Two things are not as there. The first convolution has one channel, because the images are grey. And
what it does with their size, its stride and the max pool behind it, which have no parameters, follows the image: of
28 × 28 pixels ImageNet's stem would leave 7 × 7, and 1 × 1 at the end, where eight of the nine weights of a
convolution see nothing but padding.

The convolutions and the batch norms are torch.nn's, and autograd differentiates them.

Shapes: B batch, H × W pixels, h × w what the stem leaves of them, I and O channels, C classes.

Sources: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv 1512.03385 (2015), table 1, 18
layers, shortcuts of kind B; the start of the convolutions, He et al., arXiv 1502.01852 (2015); blocks that begin as the
identity, Goyal et al., arXiv 1706.02677 (2017), section 5.1.
"""

from typing import Final, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BODY", "FEATURES", "BatchNorm", "Block", "ResNet18", "stem"]

FEATURES: Final = 512
"""The channels of the last stage: what the last layer, ``fc``, decides by."""

BODY: Final = 11_179_860
"""Numbers of the state without ``fc``: 11,170,240 parameters, and 9,620 that the batch norms keep."""


def stem(side: int) -> tuple[int, bool]:
    """The stride of the first convolution, and whether a max pool halves its result, for images with that shorter side.

    The stages halve what they get three times: 8 pixels need all of them, 28 leave 14 to the first stage and 2 to the
    last; from 65 on it is ImageNet's stem.
    """
    return 1 if side < 16 else 2, side > 64


@final
class BatchNorm(nn.BatchNorm2d):
    """torch.nn's, which norms by the batch while training, but where that teaches nothing: there it norms as always.

    One number a channel has no variance (the last image of an epoch, alone in its batch, where the stages leave 1 × 1);
    and a norm whose scale is frozen keeps what it knows of all images.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, PyTorch's name
        """(B, O, h, w) → (B, O, h, w)."""
        if self.training and self.weight.requires_grad and input.numel() > self.num_features:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


@final
class Block(nn.Module):
    """The residual block: (B, I, h, w) → (B, O, h / stride, w / stride).

    Where the shape changes, the shortcut is a convolution of 1 × 1 and a batch norm, ``downsample``.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        """Args: I, O and the stride."""
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, 3, stride)
        self.bn1 = BatchNorm(outputs)
        self.conv2 = _convolution(outputs, outputs, 3)
        self.bn2 = BatchNorm(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(_convolution(inputs, outputs, 1, stride), BatchNorm(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """ReLU(shortcut(x) + F(x))."""
        y = self.bn1(self.conv1(x)).relu_()  # (B, O, h / stride, w / stride)
        y = self.bn2(self.conv2(y))  # (B, O, h / stride, w / stride)
        shortcut = x if self.downsample is None else self.downsample(x)
        return (shortcut + y).relu_()


@final
class ResNet18(nn.Module):
    """A stem, four stages of two blocks, the mean over what is left of the image, and a linear layer.

    When a ``mixed`` network answers, stem and stages work with bfloat16's 8 bits; the weights, the batch norms'
    averages, the mean and the last layer have float32's 24, and so has all when it learns.

    Attributes:
        shape: (H, W).
        pools: whether a max pool belongs to the stem.
        mixed: whether its answers' products are made in bfloat16; False at first.
    """

    def __init__(self, shape: tuple[int, int], num_classes: int, generator: torch.Generator | None = None) -> None:
        """Make the network at its start.

        Args:
            shape: (H, W) of the images.
            num_classes: C.
            generator: where the weights come from; torch's global one if not given.
        """
        super().__init__()
        self.shape = shape
        stride, self.pools = stem(min(shape))
        with torch.random.fork_rng(devices=()):  # pyright: ignore[reportUnknownMemberType]  # torch.nn draws a start
            self.conv1 = _convolution(1, 64, 7, stride)
            self.bn1 = BatchNorm(64)
            self.layer1 = _stage(64, 64)
            self.layer2 = _stage(64, 128, 2)
            self.layer3 = _stage(128, 256, 2)
            self.layer4 = _stage(256, FEATURES, 2)
            self.fc = nn.Linear(FEATURES, num_classes)
        self._start(generator)
        self.mixed = False

    def forward(self, x: Tensor) -> Tensor:
        """(B, H·W) → (B, C), the logits. ``uint8`` stands for x / 255."""
        x = (x / 255 if x.dtype == torch.uint8 else x).reshape(len(x), 1, *self.shape)  # (B, 1, H, W)
        mixed = self.mixed and not self.training and x.dtype == torch.float32
        with torch.autocast(x.device.type, torch.bfloat16, enabled=mixed):
            x = self.bn1(self.conv1(x)).relu_()  # (B, 64, H / stride, W / stride)
            x = F.max_pool2d(x, 3, 2, 1) if self.pools else x  # (B, 64, h, w)
            x = self.layer1(x)  # (B, 64, h, w)
            x = self.layer2(x)  # (B, 128, h / 2, w / 2)
            x = self.layer3(x)  # (B, 256, h / 4, w / 4)
            x = self.layer4(x)  # (B, 512, h / 8, w / 8)
        x = x.to(self.fc.weight.dtype).mean(dim=(2, 3))  # (B, 512)
        return self.fc(x)  # (B, C)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(H·W, 64, 128, 256, 512, C): pixels, the channels of each stage, classes."""
        height, width = self.shape
        return height * width, 64, 128, 256, FEATURES, self.fc.out_features

    def _start(self, generator: torch.Generator | None) -> None:
        """Draw the weights: N(0, 2 / (O k²)) for a convolution of O × k × k, uniform in ± 1/√512 for ``fc``."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            elif isinstance(part, Block):
                nn.init.zeros_(part.bn2.weight)
        for p in self.fc.parameters():
            nn.init.uniform_(p, -(FEATURES**-0.5), FEATURES**-0.5, generator)


def _convolution(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    """Of side × side, without a bias: the batch norm behind it has one."""
    return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, bias=False)


def _stage(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs))
