"""The recipe of MSCNN: that of CNN-Fuse on patches of the three sizes at which the network is used; the authors' is not known."""

from dataclasses import dataclass

from mffrepro.models.mscnn import SCALES
from mffrepro.training.cnn_fuse import CnnFuseRecipe


@dataclass(frozen=True, kw_only=True)
class MscnnRecipe(CnnFuseRecipe):
    """Describe a training of MSCNN."""

    name: str = "mscnn"
    scales: tuple[int, ...] = SCALES


PRESETS = {
    "practical": MscnnRecipe(width=0.25, hidden=32, border="context", rate=0.01, schedule="cosine", epochs=10, samples=8000),
    "smoke": MscnnRecipe(width=0.0625, hidden=4, epochs=2, samples=32, batch=16, validation=16, rate=0.01),
}
