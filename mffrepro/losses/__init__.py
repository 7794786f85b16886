"""Training losses; each takes batches (B, C, H, W) in [0, 1] and returns a scalar."""

from mffrepro.losses.dice import dice_loss
from mffrepro.losses.gradient import qg_loss
from mffrepro.losses.structure import qy_loss

__all__ = ["dice_loss", "qg_loss", "qy_loss"]
