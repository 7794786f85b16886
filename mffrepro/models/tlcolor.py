"""tlcolor: *Color multi-focus image fusion based on transfer learning*, Journal of Intelligent & Fuzzy Systems.

Network and rule are those of `mffrepro.models.transfer` and `mffrepro.models.secondary`: one image at a time, three channels
(A1.1), 41 convolutions in the encoders of which 16 are VGG-19's, five transposed ones and 36 more in the decoders.
"""

from typing import Literal

from mffrepro.images import FocusStack, FusionResult
from mffrepro.models.secondary import Agreement, Selection
from mffrepro.models.transfer import DefocusJudge, Doubt, TransferNet, fuse_stack, load_network


def load(weights: str = "default", *, device: str = "auto") -> TransferNet:
    """The network ready for inference: ``"default"`` and the other names on the method's card, ``"random"``, or a file."""
    return load_network("tlcolor", weights, device)


def fuse(
    stack: FocusStack,
    *,
    weights: str = "default",
    device: str = "auto",
    strategy: Literal["auto", "serial", "calibration"] = "auto",
    m3: Agreement = "xor",
    select: Selection = "qabf",
    doubt: Doubt = "source",
    size: int | None = None,
) -> FusionResult:
    """Fuse a stack with tlcolor: a map of what is out of focus for each image, the maps made consistent, the better candidate.

    Args:
        stack: N >= 2 images, gray or colour, any size.
        weights: ``"default"`` (slim, trained by this project), the ablations on the method's card, ``"random"``, or a file.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: For more than two images, which the paper does not treat: ``"serial"`` looks at every intermediate result,
            ``"calibration"`` (and ``"auto"``) at every image once.
        m3: Reading of the logical step, whose box is missing from our text (A1.12, A0.7).
        select: Which candidate is returned.
        doubt: What is done where both maps or neither say "out of focus": ``"source"`` leaves it to the chosen candidate, as the
            paper does, ``"compare"`` takes the source that is less likely out of focus, and then nothing is left to choose.
        size: Side to which images are resized for the network, 224 in training; None: as they are (A1.16).
    Returns:
        Fused image and binary decision map.
    Raises:
        DataError: Weights that cannot be had.
    References:
        [tlcolor].
    Chapter: 04_tlcolor
    """
    judge = DefocusJudge(load(weights, device=device), m3=m3, select=select, doubt=doubt, size=size)
    return fuse_stack(stack, judge, strategy, "tlcolor")
