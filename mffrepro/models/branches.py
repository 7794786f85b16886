"""The generator that MFF-GAN and PMGI share: two branches that exchange their maps twice, and one 1x1 convolution at the end."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from mffrepro.models.layers import conv

#: Rows that a pixel depends on: one 5x5 and three 3x3 convolutions.
REACH = 2 + 3 * 1
#: The layers of a branch but the first: name -> channels in, side of the kernel. All yield 16 maps.
LAYERS = {"layer2": (16, 3), "layer2_3": (32, 1), "layer3": (48, 3), "layer3_4": (32, 1), "layer4": (64, 3)}


class Branch(nn.ModuleDict):
    """Build a branch: four layers of 16 maps and two exchanges with the other branch.

    The exchanges are ``2_3`` and ``3_4``; a leaky ReLU follows each layer.
    """

    def __init__(self, inputs: int, norm: Callable[[int], nn.Module] | None) -> None:
        kinds = {"layer1": (inputs, 5)} | LAYERS
        super().__init__({name: conv(n, 16, k, norm=norm, activation=nn.LeakyReLU(0.2)) for name, (n, k) in kinds.items()})


class TwoBranches(nn.Module):
    """Paint one image from two batches (B, C, H, W) in [-1, 1]: (B, 1, H, W).

    Args:
        inputs: C, channels that each branch is given.
        norm: What follows every hidden convolution, such as `nn.BatchNorm2d`.
    """

    def __init__(self, *, inputs: int = 1, norm: Callable[[int], nn.Module] | None = None) -> None:
        super().__init__()
        self.near, self.far = Branch(inputs, norm), Branch(inputs, norm)
        self.layer5 = conv(128, 1, 1, activation=nn.Tanh())

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the image from both batches."""
        one = self._both("layer1", a, b)
        two = self._both("layer2", *one)
        exchanged = self._both("layer2_3", *[torch.cat(two, 1)] * 2)
        three = self._both("layer3", *self._joined(one, two, exchanged))
        exchanged = self._both("layer3_4", *[torch.cat(three, 1)] * 2)
        four = self._both("layer4", *self._joined(one, two, three, exchanged))
        return self.layer5(torch.cat([*one, *two, *three, *four], 1))

    def _both(self, layer: str, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self.near[layer](a), self.far[layer](b)

    @staticmethod
    def _joined(*pairs: tuple[Tensor, Tensor]) -> list[Tensor]:
        return [torch.cat(maps, 1) for maps in zip(*pairs, strict=True)]


def tensorflow_names(suffix: str, *, norm: bool = False) -> dict[str, str]:
    """Map our parameters to the variables of the authors' checkpoints.

    The ending `suffix` marks their second branch.
    """
    names = {"layer5.conv.weight": "fusion_model/layer5/w5", "layer5.conv.bias": "fusion_model/layer5/b5"}
    for (branch, ending), layer in product((("near", ""), ("far", suffix)), ("layer1", *LAYERS)):
        scope, tag = f"fusion_model/{layer}{ending}", layer.removeprefix("layer") + ending
        ours = f"{branch}.{layer}"
        names |= {f"{ours}.conv.weight": f"{scope}/w{tag}", f"{ours}.conv.bias": f"{scope}/b{tag}"}
        if norm:
            theirs = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
            names |= {f"{ours}.norm.{k}": f"{scope}/BatchNorm/{v}" for k, v in theirs.items()}
    return names
