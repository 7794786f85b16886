"""Made-up images that several tests fuse."""

import numpy as np
from scipy import ndimage


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def halves(height=96, width=97, channels=3):
    """Two sources of one scene, sharp on the left and on the right."""
    scene = ndimage.gaussian_filter(noise(height, width, channels), (1, 1, 0))
    scene = (scene - scene.min()) / np.ptp(scene)
    blurred = ndimage.gaussian_filter(scene, (2.5, 2.5, 0))
    left = (np.arange(width) < width // 2)[None, :, None]
    return np.stack([np.where(left, scene, blurred), np.where(left, blurred, scene)])
