"""How much each source should count in the losses of U2Fusion and FusionDN: one weight for each image of a batch.

The papers rate sources by the features of a VGG-16 trained on ImageNet and, in FusionDN, by a network that was trained on
ratings by people. Where those cannot be had, `pyramid_energy` takes their place: gradients of the image itself, at five sizes.
"""

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.errors import DataError

#: Layers of VGG-16 after which the papers read features: the last ReLU before each pooling.
VGG_LAYERS = (3, 8, 15, 22, 29)


def shares(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Turn two scores (B,) into weights that sum to 1, by a softmax."""
    first = torch.sigmoid(a - b)
    return first, 1 - first


def pyramid_energy(image: Tensor) -> Tensor:
    """Compute the logarithm of gradient energy over a pyramid of images, (B,).

    Mean squared gradients of (B, 1, H, W) and of its halves down to a sixteenth are summed.
    """
    total = image.new_zeros(len(image))
    for level in range(5):
        smaller = F.avg_pool2d(image, 2**level)
        across, down = smaller.diff(dim=3).square().mean((1, 2, 3)), smaller.diff(dim=2).square().mean((1, 2, 3))
        total = total + (across + down)
    return (total + 1e-8).log()


def entropy(image: Tensor) -> Tensor:
    """Compute the entropy of gray levels, bits per pixel, of each image, (B,).

    The images are (B, 1, H, W) in [0, 1].
    """
    levels = (255 * image).clamp(0, 255).long().flatten(1)
    counts = torch.zeros(len(image), 256, device=image.device).scatter_add_(
        1, levels, torch.ones_like(levels, dtype=torch.float32)
    )
    p = counts / counts.sum(1, keepdim=True)
    return -torch.special.xlogy(p, p).sum(1) / torch.log(torch.tensor(2.0))


@lru_cache(maxsize=1)
def vgg16() -> nn.Sequential:
    """Load the convolutions of torchvision's VGG-16, trained on ImageNet."""
    from torchvision.models import VGG16_Weights
    from torchvision.models import vgg16 as build

    try:
        network = build(weights=VGG16_Weights.IMAGENET1K_V1).features
    except OSError as error:
        raise DataError(
            f"the weights of VGG-16 cannot be fetched ({error}); train with the substitute, features='pyramid'"
        ) from None
    return network.eval().requires_grad_(requires_grad=False)


def vgg_features(image: Tensor) -> list[Tensor]:
    """Compute feature maps of VGG-16 of a gray batch, one for each size.

    The batch is (B, 1, H, W) in [0, 1].
    """
    features, x = [], image.expand(-1, 3, -1, -1)
    for i, layer in enumerate(vgg16().to(image.device)):
        x = layer(x)
        if i in VGG_LAYERS:
            features.append(x)
    return features


def vgg_energy(image: Tensor) -> Tensor:
    """Average the squared Laplacian of VGG-16's features over its five sizes, (B,)."""
    with torch.no_grad():
        kernel = image.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
        energies = []
        for maps in vgg_features(image):
            channels = maps.shape[1]
            gradient = F.conv2d(maps, kernel.expand(channels, 1, 3, 3), padding=1, groups=channels)
            energies.append(gradient.square().mean((1, 2, 3)))
        return torch.stack(energies).mean(0)
