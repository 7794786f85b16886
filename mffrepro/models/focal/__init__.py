"""Focal: the network, its inference on stacks of any length and size, and the fusion method.

References: [mffrepro2026]. Chapter: 11_lessons.
"""

from mffrepro.models.focal.method import fuse
from mffrepro.models.focal.network import REACH, SOURCE, STEP, Exchange, Focal

__all__ = ["REACH", "SOURCE", "STEP", "Exchange", "Focal", "fuse"]
