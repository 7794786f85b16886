"""VGG-19 as a source of convolutions: torchvision's ImageNet weights, or a slim one that this project trains itself.

Only its 16 convolutions are transferred to `tlcnn` and `tlcolor`; the classifier is what they are first trained with. The keys of
the convolutions are those of ``torchvision.models.vgg19``, so that both sources go through one door.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mffrepro.errors import DataError

#: Channels and number of the convolutions of each sub-module.
STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
#: Mean and standard deviation that ImageNet's weights expect to be taken out of an image in [0, 1] (A1.15).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def channels(width: float) -> list[int]:
    """Count the channels of the five stages at a share of the full width.

    There are never fewer than 8.
    """
    return [max(8, round(width * full)) for full, _ in STAGES]


def conv_keys() -> list[list[str]]:
    """List torchvision's names of the convolutions by stage.

    A ReLU follows each convolution, a pooling each stage.
    """
    keys, index = [], 0
    for _, count in STAGES:
        keys.append([f"features.{index + 2 * i}" for i in range(count)])
        index += 2 * count + 1
    return keys


class VGG19(nn.Module):
    """Classify images by the "improved VGG-19" of tlcnn (Fig. 2), at any width.

    Batch normalisation follows each convolution; the pooling is the average.

    Args:
        width: Share of VGG-19's channels.
        classes: Classes of the classification it is trained on, the source task.
        pool: ``"avg"`` as tlcnn improves it, or ``"max"`` as it was.
    """

    def __init__(self, width: float = 1.0, classes: int = 1000, pool: str = "avg") -> None:
        super().__init__()
        self.options = {"width": width, "classes": classes, "pool": pool}
        counts = [count for _, count in STAGES]
        features, norms, inputs = {}, {}, 3
        for keys, outputs, count in zip(conv_keys(), channels(width), counts, strict=True):
            for key in keys:
                name = key.removeprefix("features.")
                features[name], norms[name] = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
                inputs = outputs
            assert len(keys) == count
        self.features, self.norms = nn.ModuleDict(features), nn.ModuleDict(norms)
        self.pool = nn.AvgPool2d(2) if pool == "avg" else nn.MaxPool2d(2)
        hidden = max(64, round(4096 * width))
        sizes = (inputs * 49, hidden, hidden, classes)
        self.classifier = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits (B, classes) of (B, 3, H, W) in [0, 1]."""
        x = normalise(image)
        for keys in conv_keys():
            for key in keys:
                name = key.removeprefix("features.")
                x = torch.relu(self.norms[name](self.features[name](x)))
            x = self.pool(x)
        x = nn.functional.adaptive_avg_pool2d(x, 7).flatten(1)
        first, second, last = self.classifier
        return last(torch.relu(second(torch.relu(first(x)))))


def normalise(image: Tensor) -> Tensor:
    """Normalise an image in [0, 1] as ImageNet's convolutions expect it."""
    mean, std = (image.new_tensor(x).view(1, 3, 1, 1) for x in (MEAN, STD))
    return (image - mean) / std


def imagenet() -> dict[str, Tensor]:
    """Fetch torchvision's ``VGG19_Weights.IMAGENET1K_V1`` into torch's own cache.

    The file has 575 MB and is fetched once.

    Raises:
        DataError: They cannot be fetched here.
    """
    from torchvision.models import VGG19_Weights

    try:
        return VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"ImageNet's VGG-19 cannot be fetched ({type(error).__name__}); "
            "train with transfer='surrogate', the slim VGG-19 that ships with mffrepro"
        ) from None
