"""Turn a finished run into shipped weights: ``mffrepro train ship runs/gacn gacn.default --data bsds500 --machine "2 cores"``.

Writes ``NAME.safetensors`` (float16; the networks compute in float32) and its card ``NAME.json`` into the package.
"""

import hashlib
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mffrepro.errors import DataError, OptionError, brief
from mffrepro.images import write_atomically
from mffrepro.models.weights import to_bytes
from mffrepro.training.recipes import rebuild
from mffrepro.training.trainer import load_model, read_log

if TYPE_CHECKING:
    from torch import nn

#: What weights may be called; a name becomes that of a file.
_NAME = re.compile(r"\w+(\.[\w-]+)+", re.ASCII)
LICENCES = {
    "bsds500": "for non-commercial research and education: trained on BSDS500, whose terms say so",
    "embedded": "as the photographs of scikit-image that it was trained on, public domain or CC0",
    "textures": "as this package: trained on pictures that it draws itself",
}


def ship(run: Path, name: str, *, data: str, device: str, note: str = "", folder: Path | None = None) -> Path:
    """Write the weights of the best epoch of a run, and their card.

    Args:
        run: Run folder of the trainer.
        name: ``METHOD.tag``, such as ``"gacn.default"``.
        data: Name of the labelled photographs that it was trained on.
        device: The machine that it was trained on, in words.
        note: What else a reader should know.
        folder: Where to write; by default the ``weights`` of the package.

    Returns:
        Path of the weights.

    Raises:
        DataError: The folder holds no run that has finished an epoch.
        OptionError: The name is no method and a tag.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(f"the name is {brief(name)}; give a method and a tag, such as gacn.default")
    described, model = _described(run)
    rows = read_log(run / "log.csv")
    if not rows or not rows[0].keys() >= {"epoch", "seconds", "val_total"}:
        raise DataError(f"{run / 'log.csv'} lists no finished epoch; go on with mffrepro train --resume")
    best = min(rows, key=lambda row: row["val_total"])
    network = load_model(model, run / "best.safetensors")
    network = getattr(network, "generator", network)  # of two adversaries only the generator fuses
    weights = to_bytes(network, network.options, half=True)
    card = {
        "name": name,
        "recipe": described["recipe"],
        "seed": described["seed"],
        "data": data,
        "licence": LICENCES.get(data, "see the licence of the data"),
        "device": device,
        "precision": described["precision"],
        "note": note,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(sum(row["seconds"] for row in rows)),
        "parameters": sum(p.numel() for p in network.parameters()),
        "best_epoch": int(best["epoch"]),
        "final": {key: round(value, 5) for key, value in best.items() if key.startswith("val_")},
        "sha256": hashlib.sha256(weights).hexdigest(),
        "log": [{key: round(value, 6) for key, value in row.items()} for row in rows],
    }
    folder = folder or Path(__file__).parents[1] / "weights"
    path = folder / f"{name}.safetensors"
    write_atomically(path, weights)
    write_atomically(path.with_suffix(".json"), (json.dumps(card, indent=1) + "\n").encode())
    return path


def _described(run: Path) -> "tuple[dict[str, Any], nn.Module]":
    """Read what a run folder says of its training, and build the network that its recipe names."""
    path = run / "recipe.json"
    if not path.exists():
        raise DataError(f"{run} holds no run; give the folder that mffrepro train wrote")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        needed = {name: described[name] for name in ("recipe", "seed", "precision")}
        return needed, rebuild(described["recipe"]).model()
    except Exception as error:  # JSON of another kind fails in ways that could not be listed
        raise DataError(f"{path} describes no run ({type(error).__name__}); give the folder that mffrepro train wrote") from None
