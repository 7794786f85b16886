"""GACN as the judge of `mffrepro.fusion.multi_image`, for two images or many, of any size."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mffrepro.fusion.multi_image import Floats, blended, progress, winners
from mffrepro.images import to_gray
from mffrepro.models import gacn_strips
from mffrepro.models.gacn_strips import Look, Weights, attention_weights, decide_in_strips, sharpness_in_strips
from mffrepro.tiling import strips

CLARITY_RADIUS = 3
#: Rows that a pixel's place in a ranking depends on.
RANKING_HALO = gacn_strips.DECISION_HALO + gacn_strips.ACTIVITY_HALO + CLARITY_RADIUS


class GacnJudge:
    """GACN as the judge of `mffrepro.fusion.multi_image`: arrays in, arrays out.

    Args:
        network: Ready for inference.
        whole: Keep the maps even of large images, as `clarity`, `exchange` and `merge` need them; False saves the memory.
    """

    def __init__(self, network: nn.Module, *, whole: bool = True) -> None:
        self.network, self.whole = network, whole
        self.device = next(network.parameters()).device

    @torch.inference_mode()
    def look(self, image: np.ndarray) -> Look:
        gray = self._gray(image)
        if gray.numel() > gacn_strips.LARGE and not self.whole:
            return Look(gray, None, attention_weights(self.network.features, gray))
        return Look(gray, sharpness_in_strips(self.network, gray))

    def _gray(self, image: np.ndarray) -> Tensor:
        gray = np.array(to_gray(image) if image.ndim == 3 else image, np.float32)  # a copy: looks are changed in place
        return torch.from_numpy(gray)[None, None].to(self.device)

    @torch.inference_mode()
    def compare(self, first: Look, second: Look) -> tuple[np.ndarray, np.ndarray]:
        final, logit = decide_in_strips(self.network, first, second)
        return final.clamp(0, 1).cpu().numpy(), logit.cpu().numpy()  # guided filtering leaves the range by up to 2e-4

    @torch.inference_mode()
    def merge(self, first: Look, second: Look, final: np.ndarray) -> Look:
        weight = torch.from_numpy(final).to(self.device)
        for ours, theirs in zip(first[:2], second[:2], strict=True):
            ours.sub_(theirs).mul_(weight).add_(theirs)
        return first

    @torch.inference_mode()
    def clarity(self, look: Look) -> np.ndarray:
        """The mean activity of all maps, over windows of 7x7: single pixels would change sides with the noise."""
        activity = look.sharpness.mean(1, keepdim=True)
        padded = F.pad(activity, (CLARITY_RADIUS,) * 4, mode="replicate")
        return F.avg_pool2d(padded, 2 * CLARITY_RADIUS + 1, 1)[0, 0].cpu().numpy()

    @torch.inference_mode()
    def keep(self, look: Look) -> Look:
        """Activities in half precision: 11 bits tell two images apart, and two looks at large images take as much as one."""
        return look._replace(sharpness=look.sharpness.clamp_(max=torch.finfo(torch.half).max).half())

    @torch.inference_mode()
    def exchange(self, first: Look, second: Look, where: np.ndarray) -> None:
        pixels = torch.from_numpy(np.flatnonzero(where)).to(self.device)
        for ours, theirs in zip(first[:2], second[:2], strict=True):
            ours, theirs = (x[0].permute(1, 2, 0).view(-1, x.shape[1]) for x in (ours, theirs))  # all of a pixel lie together
            for some in pixels.split(2**15):
                ours[some], theirs[some] = theirs[some].to(ours.dtype), ours[some].to(theirs.dtype)

    @property
    def smooths(self) -> bool:
        return self.network.boundary != "none"


class BandJudge(GacnJudge):
    """GACN as the judge of a band of rows of a stack, looked at in its order.

    Args:
        network: Ready for inference.
        weights: Of channel attention, of each whole image.
    """

    def __init__(self, network: nn.Module, weights: Iterable[Weights]) -> None:
        super().__init__(network)
        self.weights = iter(weights)

    @torch.inference_mode()
    def look(self, image: np.ndarray) -> Look:
        gray = self._gray(image)
        return Look(gray, sharpness_in_strips(self.network, gray, next(self.weights)))


def ranked_in_bands(images: np.ndarray, network: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """`mffrepro.fusion.multi_image.ranked` for large images (N, H, W[, 3]): all looks at a band of rows before the next band."""
    judge = GacnJudge(network, whole=False)
    weights = [judge.look(image).weights for image in progress(Floats(images))]
    winner = np.empty(images.shape[1:3], np.int32)
    bands = list(strips(*winner.shape, gacn_strips.BAND_PIXELS, halo=RANKING_HALO))
    for band in progress(bands, unit="band"):
        winner[band.rows] = band.inner(winners(Floats(images[:, band.with_halo]), BandJudge(network, weights)))
    return blended(Floats(images), winner, smooth=judge.smooths)
