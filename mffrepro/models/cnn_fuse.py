r"""CNN-Fuse of Liu et al. (2017): the first network that learned which of two patches is sharper.

Three convolutions and one pooling for either patch, the maps of both joined, two fully connected layers. Four steps make a
fused image: scores for every patch, averaged where patches overlap; a pixel goes to the first source where the mean is over
one half; regions under a hundredth of the image change sides; a guided filter softens the border of the decision. The
untitled text called cnnwt here describes this method again; it is the spatial mode of ours.

The authors publish their weights as a MATLAB file beside their code, without a licence that lets others pass it on.
``python -m mffrepro.models.cnn_fuse published.mat mine.safetensors`` makes a file of it for ``weights="mine.safetensors"``.

What we changed: nothing in the layout; shipped weights have a quarter of the maps.

References: [liu2017cnn], [cnnwt]. Chapter: 06_cnnwt.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mffrepro.data.matlab import read_mat
from mffrepro.errors import DataError, OptionError
from mffrepro.fusion.guided import guided_filter
from mffrepro.fusion.multi_image import UnitImages, combine, mix
from mffrepro.fusion.regions import remove_small
from mffrepro.images import FocusStack, require_side, write_atomically
from mffrepro.models.siamese import Border, Features, PatchComparer, Siamese
from mffrepro.models.weights import NetworkSource, to_bytes


class CnnFuse(Siamese):
    """Classify patches by the network of Fig. 2 of Liu et al.

    It has 8 759 042 parameters at full width.

    Args:
        width: Factor on the maps of the branch; 1 is the paper's size.
        hidden: Outputs of the first fully connected layer. No ReLU follows it, as in the published code, so fewer lose nothing.
        channels: 1, or the sub-bands that the wavelet mode of cnnwt shows it.
        patch: Side of the patches.
        border: Values around a patch; ``"zeros"`` in the paper and for the published weights.
    """

    def __init__(
        self, *, width: float = 1.0, hidden: int = 256, channels: int = 1, patch: int = 16, border: Border = "context"
    ) -> None:
        super().__init__(
            (64, 128, "pool", 256), (hidden,), channels=channels, patch=patch, width=width, border=border, linear=True
        )  # maps and place of the pooling: A3.4
        self.options = {"width": width, "hidden": hidden, "channels": channels, "patch": patch, "border": border}


def segment(focus: np.ndarray, *, threshold: float = 0.5, smallest: float = 0.01) -> np.ndarray:
    """Threshold a focus map (H, W) to the initial decision map (A3.12).

    The map is bool and has no small regions.
    """
    sharper = (focus > threshold).astype(np.intp)
    return remove_small(sharper, np.ceil(smallest * focus.size)) > 0


def check_limits(threshold: float, smallest: float) -> None:
    """Raise OptionError unless threshold and smallest area are shares in range."""
    if not (0 < threshold < 1 and 0 <= smallest < 1):
        raise OptionError(f"threshold is {threshold:g} and smallest {smallest:g}; use 0 < threshold < 1 and 0 <= smallest < 1")


def soften(initial: np.ndarray, first: np.ndarray, second: np.ndarray, *, radius: int = 8, eps: float = 0.1) -> np.ndarray:
    """Filter the initial map along the edges of the image it would fuse (A3.10).

    The image is gray.
    """
    share = initial.astype(np.float64)
    filtered = guided_filter(mix(first, second, share).astype(np.float64), share, radius=radius, eps=eps)
    return np.clip(filtered, 0, 1).astype(np.float32)


# ----------------------------------------------------------------------------------------------- inference


SOURCE = NetworkSource(CnnFuse, random={"width": 0.25, "hidden": 32})


def comparer(
    network: CnnFuse,
    *,
    dense: int | None = None,
    threshold: float = 0.5,
    smallest: float = 0.01,
    radius: int = 8,
    eps: float = 0.1,
) -> PatchComparer:
    """Build the comparer of a network; the arguments are those of `fuse`."""

    def rule(focus: np.ndarray, first: Features, second: Features) -> np.ndarray:
        initial = segment(focus, threshold=threshold, smallest=smallest)
        return soften(initial, first.gray, second.gray, radius=radius, eps=eps) if radius else initial.astype(np.float32)

    return PatchComparer(network, rule, step=dense)


def fuse(
    stack: FocusStack,
    network: CnnFuse,
    *,
    strategy: str = "serial",
    dense: int | None = None,
    threshold: float = 0.5,
    smallest: float = 0.01,
    radius: int = 8,
    eps: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse a stack with CNN-Fuse; decided on gray, applied to all channels.

    Args:
        stack: N >= 2 images, sides at least those of a patch, 16 pixels; gray or colour.
        network: The patch classifier; `convert` makes one of the authors' weights.
        strategy: How more than two images are combined, see `mffrepro.fusion.multi_image`; the paper has ``"serial"``.
        dense: Pixels between neighbouring patches, 2 (as the pooling gives) or 1.
        threshold: Share of the first source over which it takes a pixel.
        smallest: Least area of a region, as a share of the image; 0 keeps all.
        radius: Half width of the guided filter's window; 0 leaves the filter out.
        eps: Regularisation of the guided filter, in squared units of gray in [0, 1].

    Returns:
        Fused image and decision map.

    Raises:
        ImageError: Images too small.
        OptionError: There is no such `dense`, or a number is out of its range.
    Deviations:
        Small regions of both polarities go to the nearest large one at once; the published code turns bright ones first.

    References:
        [liu2017cnn].
    Chapter: 06_cnnwt
    """
    check_limits(threshold, smallest)
    if radius < 0 or eps <= 0:
        raise OptionError(f"radius is {radius} and eps {eps:g}; use a radius of at least 0 and eps over 0")
    require_side(stack, network.patch)
    asked = comparer(network, dense=dense, threshold=threshold, smallest=smallest, radius=radius, eps=eps)
    return combine(UnitImages(stack.images), asked, strategy)


# -------------------------------------------------------------------------------------- the authors' weights


def from_published(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Rename and reorder the arrays of the authors' file to the tensors of `CnnFuse`.

    A kernel is stored as one column, its rows running fastest; the channels of the input come first, those of the output last.

    Raises:
        DataError: An array is missing or of another shape.
    """
    state = {}
    for ours, theirs, shape in _LAYOUT:
        weight = _array(arrays, f"weights_{theirs}", shape)
        inputs, places, outputs = shape
        side = int(places**0.5)
        state[f"{ours}.weight"] = torch.from_numpy(
            weight.reshape(inputs, side, side, outputs, order="F").transpose(3, 0, 1, 2).copy()
        )
        state[f"{ours}.bias"] = torch.from_numpy(_array(arrays, f"biases_{theirs}", (outputs,)))
    return state


#: Layer here, name there, and inputs, places of the kernel, outputs.
_LAYOUT = (
    ("branch.0", "b1_1", (1, 9, 64)), ("branch.1", "b1_2", (64, 9, 128)), ("branch.2", "b1_3", (128, 9, 256)),
    ("head.0", "feature", (512, 64, 256)), ("head.1", "output", (256, 1, 2)),
)  # fmt: skip


def _array(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    if name not in arrays or arrays[name].size != size:
        found = f"of shape {arrays[name].shape}" if name in arrays else "missing"
        raise DataError(f"{name} is {found}, not {shape}; give the .mat file of the multi-focus network of Liu et al. (2017)")
    return np.asarray(arrays[name], np.float32).reshape(shape, order="F")


def convert(source: str | Path, target: str | Path) -> Path:
    """Turn the authors' ``.mat`` file into weights for ``cnn_fuse``.

    The file holds arrays only; reading it executes nothing.

    Args:
        source: The file beside the published code, with ``weights_b1_1 ... biases_output``.
        target: A ``.safetensors`` file.

    Raises:
        DataError: Not such a file.
    Chapter: 06_cnnwt
    """
    arrays = read_mat(source, "give the .mat file of Liu et al. (2017)")
    network = CnnFuse(border="zeros")
    network.load_state_dict(from_published(arrays))
    write_atomically(target, to_bytes(network, network.options))
    return Path(target)


def main() -> None:
    """Convert the file that the command line names."""
    parser = argparse.ArgumentParser(description="Turn the published MATLAB file of CNN-Fuse into weights for cnn_fuse.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args()
    print(convert(arguments.source, arguments.target))


if __name__ == "__main__":
    main()
