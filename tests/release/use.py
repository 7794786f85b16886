"""Use an installed mffrepro as a newcomer does; run by ``distribution.py`` in an environment that holds nothing else."""

import importlib.metadata
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np

import mffrepro as mff

weights = sys.argv[1] == "weights"
assert Path(mff.__file__).is_relative_to(sysconfig.get_paths()["purelib"]), mff.__file__

rng = np.random.default_rng(0)
sharp = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
soft = np.full_like(sharp, 128)
half = np.arange(96)[None, :, None] < 48
pair = [np.where(half, sharp, soft), np.where(half, soft, sharp)]


def fused(method: str) -> mff.FusionResult | str:
    """The fusion of the pair, or the sentence that says why there is none."""
    try:
        return mff.fuse(pair, method)
    except mff.DataError as error:
        return str(error)


for method in ("lp", "gacn"):
    result = fused(method)
    if method == "gacn" and not weights:
        assert "no weights" in result, result
        continue
    scores = mff.evaluate(pair, result, ["qabf", "psnr"], reference=sharp)
    assert scores["qabf"] > 0.5, scores
    mff.write_image(f"{method}.png", result.image)
for table in (mff.list_methods(), mff.list_metrics(), mff.list_datasets()):
    assert len(table) > 3
for name in mff.__all__:
    assert getattr(mff, name).__doc__ or name == "__version__", f"{name} has no docstring"
program = Path(sysconfig.get_paths()["scripts"]) / "mffrepro"
for words in (["list", "methods"], ["evaluate", "--help"]):
    said = subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout
    assert "qabf" in said or "lp" in said or "Usage" in said
distribution = importlib.metadata.distribution("mffrepro")
assert distribution.metadata["License-Expression"] == ("MIT AND LicenseRef-mffrepro-weights" if weights else "MIT")
licences = {file.name for file in distribution.files if "licenses" in file.parts}
assert licences == ({"LICENSE", "LICENCES.md"} if weights else {"LICENSE"}), licences
