"""Images made by integer formula, the same to the bit in every language: what metrics were compared with their sources on."""

import numpy as np

#: Name of a scene -> height, width and seed of the noise.
SCENES = {"synth64": ((64, 64), 12345), "synth97": ((97, 113), 67890)}


def noise(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Generate bytes by a 32-bit linear congruential generator, row by row.

    The upper bytes are used: int in 0..255.
    """
    state, values = seed, []
    for _ in range(shape[0] * shape[1]):
        state = (1664525 * state + 1013904223) % 2**32
        values.append(state >> 24)
    return np.array(values).reshape(shape)


def box_blur(g: np.ndarray) -> np.ndarray:
    """Mean of 5x5 pixels, rounded; border repeated."""
    padded = np.pad(g, 2, mode="edge")
    total = sum(padded[y : y + g.shape[0], x : x + g.shape[1]] for y in range(5) for x in range(5))
    return (total + 12) // 25


def formula_images(scene: str) -> dict[str, np.ndarray]:
    """Make two sources, ``A`` blurred on the left and ``B`` on the right, and fusions.

    Args:
        scene: A name in `SCENES`.

    Returns:
        By name, uint8 (H, W): the sources, the ``ideal`` fusion, an average, a checkerboard of both, a noisy and a saturated
        one, a copy of A, and a constant.
    """
    shape, seed = SCENES[scene]
    y, x = np.mgrid[: shape[0], : shape[1]]
    smooth = 127.3 + 45 * np.sin(0.37 * x + 0.11 * y + 0.2) + 30 * np.sin(0.23 * y - 0.05 * x + 1.1)
    smooth = smooth + 20 * np.sin(0.021 * x + 0.9 * y + 0.7)
    g = np.clip(np.floor(smooth + (noise(seed, shape) % 25 - 12) + 0.5), 0, 255).astype(int)
    blurred, left = box_blur(g), x < shape[1] // 2
    a, b = np.where(left, blurred, g), np.where(left, g, blurred)
    images = {
        "A": a,
        "B": b,
        "ideal": g,
        "avg": (a + b + 1) // 2,
        "checker": np.where((x // 8 + y // 8) % 2 == 0, a, b),
        "noisy": np.clip(g + (noise(seed + 1, shape) % 17 - 8), 0, 255),
        "sat": np.clip(3 * g - 256, 0, 255),
        "copyA": a,
        "same": g,
        "const128": np.full(shape, 128),
    }
    return {name: image.astype(np.uint8) for name, image in images.items()}


def formula_sources(pair: str) -> tuple[str, str, str]:
    """Return scene and names of the two sources of a pair.

    ``synth64`` takes A and B, ``synth64same`` the ideal image twice.
    """
    scene, kind = pair[:7], pair[7:]
    return scene, *{"": ("A", "B"), "same": ("ideal", "ideal"), "const": ("const128", "const128")}[kind]
