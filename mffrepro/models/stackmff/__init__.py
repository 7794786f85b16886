"""StackMFF-V2: the printed network, its inference on stacks of any size, and the fusion method.

References: [xie2025stackmff]. Chapter: 08_networks.
"""

from mffrepro.models.stackmff.method import fuse
from mffrepro.models.stackmff.network import SOURCE, Bridge, Features, Inception, Recurrent, StackMFF, renamed, stretched

__all__ = ["SOURCE", "Bridge", "Features", "Inception", "Recurrent", "StackMFF", "fuse", "renamed", "stretched"]
