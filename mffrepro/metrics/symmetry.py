"""Fusion symmetry: the balance of information from two sources [kumar2013]."""

import numpy as np

from mffrepro.metrics import programs
from mffrepro.metrics.histograms import levels, mutual_information
from mffrepro.metrics.inputs import FusionInputs, GrayImage
from mffrepro.metrics.registry import metric


@metric(
    "fs",
    symbol="FS",
    formula=r"FS = 2 - \left| \frac{MI(A,F)}{MI(A,F) + MI(B,F)} - \frac{1}{2} \right|",
    better=None,
    low=1.5,
    high=2,
    identity=2,
    source=programs.KUMAR,
    bibkey="kumar2013",
    max_sources=2,
    summary="fusion symmetry: whether both sources inform the fused image equally",
    example=1.9877,
)
def fs(inputs: FusionInputs, fused: GrayImage) -> float:
    """Measure how equally two sources inform the fused image: fusion symmetry.

    Equal shares give 2; NaN where the fused image has no information about either source.
    """
    a, b = (fused.get(mutual_information, source, levels) for source in inputs.sources)
    return 2 - abs(a / (a + b) - 0.5) if a + b > 0 else np.nan
