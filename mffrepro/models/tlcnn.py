"""tlcnn: *Image fusion using a transfer learning-based convolutional neural network*, of a journal our source does not name.

The network and the rule are those of `mffrepro.models.transfer` and `mffrepro.models.decision_rule`, shared with the sister paper
tlcolor; what tlcnn's text leaves open is filled from there (A0.3, A0.5, A0.24). tlcnn alone improves VGG-19 before it is
transferred (`mffrepro.models.vgg`) and prints the formulas of the loss and of the rule.
"""

from typing import Literal

from mffrepro.images import FocusStack, FusionResult
from mffrepro.models.decision_rule import Agreement
from mffrepro.models.transfer import DefocusJudge, Select, TransferNet, fuse_stack, load_network


def load(weights: str = "default", *, device: str = "auto") -> TransferNet:
    """The network ready for inference: ``"default"`` and the other names on the method's card, ``"random"``, or a file."""
    return load_network("tlcnn", weights, device)


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    m3: Agreement = "xor",
    select: Select = "compare",
    smoothing: float = 2.0,
    size: int | None = None,
) -> FusionResult:
    """Fuse a stack with tlcnn: a map of what is out of focus for each image, the maps compared.

    Args:
        stack: N >= 2 images, gray or colour, any size.
        weights: ``"default"`` (slim, trained by this project), the ablations on the method's card, ``"random"``, or a file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For more than two images, which the paper does not treat: ``"serial"`` looks at every intermediate result,
            ``"calibration"`` (and ``"auto"``) at every image once.
        m3: Reading of the AND step (A0.7).
        select: What is done where both maps or neither say "out of focus". ``"compare"`` takes each pixel from the source that is
            less likely out of focus. ``"qabf"``, the paper's rule, leaves them to the candidate with the higher Q_ABF (A0.11),
            which takes a whole source there; ``"first"`` and ``"second"`` always return that candidate.
        smoothing: Standard deviation, in pixels, by which ``"compare"`` smooths the difference of the two probabilities.
        size: Side to which images are resized for the network, 224 in training; None: as they are (A0.16).
    Returns:
        Fused image and binary decision map.
    Raises:
        OptionError: No such reading, or a `smoothing` below 0.
        DataError: Weights that cannot be had.
    Deviations:
        The default compares the maps: with these slim weights the paper's rule gives up too much of the image to one source.
    References:
        [tlcnn].
    Chapter: 03_tlcnn
    """
    judge = DefocusJudge(load(weights, device=device), m3=m3, select=select, smoothing=smoothing, size=size)
    return fuse_stack(stack, judge, strategy, "tlcnn")
