"""Small images made by formula, for the examples in docstrings.

``near`` is sharp on the left, ``far`` on the right, ``sharp`` everywhere; ``decision`` is the true share of each source.
"""

import numpy as np

_y, _x = np.mgrid[0:64, 0:64].astype(float)
_detail = 60 * np.sin(0.9 * _x) * np.cos(0.7 * _y) + 20 * ((_x // 8 + _y // 8) % 2)
_shading = 100 + 0.8 * _x + 0.4 * _y
_focus = 1 / (1 + np.exp((_x - 31.5) / 2))

near, far, sharp = (
    np.floor(_shading + keep * _detail + 0.5).astype(np.uint8) for keep in (0.2 + 0.8 * _focus, 1 - 0.8 * _focus, 1.0)
)
decision = np.stack([_focus >= 0.5, _focus < 0.5]).astype(np.float32)
