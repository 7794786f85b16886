"""Training losses on batches (B, C, H, W) in [0, 1].

Each returns a scalar; only `ssim_loss` returns one number per image.
"""

from mffrepro.losses.balanced import balanced_loss
from mffrepro.losses.dice import dice_loss
from mffrepro.losses.edges import edge_loss
from mffrepro.losses.exposures import exposure_loss
from mffrepro.losses.focal import focal_loss
from mffrepro.losses.gradient import qg_loss
from mffrepro.losses.layers import layer_loss
from mffrepro.losses.ssim import ssim_loss
from mffrepro.losses.structure import qy_loss
from mffrepro.losses.tensor import tensor_loss

__all__ = [
    "balanced_loss",
    "dice_loss",
    "edge_loss",
    "exposure_loss",
    "focal_loss",
    "layer_loss",
    "qg_loss",
    "qy_loss",
    "ssim_loss",
    "tensor_loss",
]
