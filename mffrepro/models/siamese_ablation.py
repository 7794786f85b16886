"""The two other ways to classify a pair that Liu et al. discuss: two branches that learn apart, and one branch for both patches.

They answer a question of the chapter (C3.4) and fuse nothing: what they make of an image depends on the other one, or on
its place.

References: [liu2017cnn], section 3.1. Chapter: 06_cnnwt.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from mffrepro.models.cnn_fuse import CnnFuse


class _Pair(CnnFuse):
    """Share the base of both: the order of the images matters from the first layer on, so that nothing is computed once."""

    def in_both_orders(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        return self(a, b), self(b, a)


class PseudoSiamese(_Pair):
    """Classify patches by two branches that start alike and learn apart."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.other = deepcopy(self.branch)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the outputs of a pair, each patch by its own branch."""
        return self.compare(self.features(a), self.features(b, branch=self.other))


class TwoChannel(_Pair):
    """Classify patches by one branch whose input is both of them."""

    def __init__(self, **options) -> None:
        super().__init__(**options | {"channels": 2})
        first = self.head[0]
        self.head[0] = nn.Conv2d(first.in_channels // 2, first.out_channels, first.kernel_size)
        nn.init.xavier_uniform_(self.head[0].weight)
        nn.init.zeros_(self.head[0].bias)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the outputs of a pair."""
        return self.classify(self.features(torch.cat([a, b], 1)))


KINDS = {"siamese": CnnFuse, "pseudo-siamese": PseudoSiamese, "2-channel": TwoChannel}
