"""Principal component fusion: one weight per source, by how much of the common variation it carries.

Where the sources differ only in focus they vary almost alike, so the weights are almost equal and the result is close to
the mean.
"""

import numpy as np

from mffrepro.baselines.channels import fuse_channels
from mffrepro.images import FocusStack


def fuse(stack: FocusStack) -> tuple[np.ndarray, None]:
    """Average by weights from the first principal component, per channel.

    Args:
        stack: N >= 2 images of any size, gray or colour.

    Returns:
        The fused image; no decision map, since the weights are the same for all pixels.
    Deviations:
        Any number of sources: the component of N variables. Its entries count by magnitude, which is no change for sources
        that vary alike; negatively correlated ones would otherwise get weights outside [0, 1]. Flat images get equal weights.

    References:
        [naidu2008].
    Chapter: 02_baselines
    """
    return fuse_channels(stack, _fuse_channel, whole=True)


def _fuse_channel(sources: np.ndarray) -> np.ndarray:
    return np.tensordot(principal_weights(sources.reshape(len(sources), -1)), sources, 1)


def principal_weights(variables: np.ndarray) -> np.ndarray:
    """Compute weights of variables (N, pixels) by their first principal component."""
    centred = variables - variables.mean(1, keepdims=True)
    covariance = centred @ centred.T / variables.shape[1]
    if np.trace(covariance) < 1e-12:  # flat up to rounding: no component to speak of
        return np.full(len(variables), 1 / len(variables))
    component = np.abs(np.linalg.eigh(covariance).eigenvectors[:, -1])
    return component / component.sum()
