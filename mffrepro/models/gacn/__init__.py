"""GACN: the printed network, its inference on images of any size, and the ranking of many images.

References: [ma2022gacn]. Chapter: 07_gacn.
"""

from mffrepro.models.gacn.inference import GacnComparer
from mffrepro.models.gacn.method import fuse
from mffrepro.models.gacn.network import (
    GACN,
    SOURCE,
    ChannelSE,
    ConvBlock,
    DecisionPath,
    FeaturePath,
    Maps,
    Reading,
    SpatialSE,
    from_published,
    squared_differences,
)

__all__ = [
    "GACN",
    "SOURCE",
    "ChannelSE",
    "ConvBlock",
    "DecisionPath",
    "FeaturePath",
    "GacnComparer",
    "Maps",
    "Reading",
    "SpatialSE",
    "from_published",
    "fuse",
    "squared_differences",
]
