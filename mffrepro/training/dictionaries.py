"""The recipe of the dictionaries: patches and high-pass images of photographs, and how long to learn from them.

The authors learned theirs from 100 000 patches of photographs they do not name. Here BSDS500 serves, or the photographs
that ship with scikit-image; the patches of ASR are sorted by the direction of their gradient first.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mffrepro.baselines.asr import SECTORS, direction
from mffrepro.data.regions import LabelledImage
from mffrepro.errors import DataError, OptionError
from mffrepro.fusion.convolutional import low_pass
from mffrepro.fusion.dictionaries import SIDE
from mffrepro.fusion.learning import learn_atoms, learn_filters
from mffrepro.images import to_gray, write_atomically
from mffrepro.training.ship import LICENCES

#: Weight of smoothness in the low-pass of CSR, which the filters are to code the rest of.
SMOOTHNESS = 5.0
Report = Callable[[str, int, float], None]


@dataclass(frozen=True, kw_only=True)
class DictionaryRecipe:
    """Describe how dictionaries are learned.

    Every field can be set from the command line with ``--set name=value``.
    """

    name: str = "dictionaries"
    atoms: int = 256
    patches: int = 50_000  # for each dictionary
    contrast: float = 3.0  # least standard deviation of a patch, gray on 0..255
    sparsity: int = 5
    rounds: int = 40
    filters: int = 32
    images: int = 20
    crop: int = 96
    penalty: float = 0.05
    filter_rounds: int = 20

    def __post_init__(self) -> None:
        for name in ("atoms", "sparsity", "rounds", "filters", "images", "filter_rounds", "penalty"):
            if getattr(self, name) <= 0:
                raise OptionError(f"{name} is {getattr(self, name)}; use a number over 0")
        if self.patches < self.atoms:
            raise OptionError(f"patches is {self.patches} and atoms {self.atoms}; an atom needs at least one patch")
        if self.crop < 2 * SIDE:
            raise OptionError(f"crop is {self.crop}; use at least {2 * SIDE}")

    def learn(
        self, photographs: Sequence[LabelledImage], *, seed: int, report: Report = lambda *_: None
    ) -> dict[str, np.ndarray]:
        """Learn the dictionaries ``sr``, ``asr`` and ``csr``.

        Their shapes are those of `mffrepro.fusion.dictionaries.SHAPES`.

        Args:
            photographs: Their masks are not read.
            seed: Seed of every random choice.
            report: Called after each round with the dictionary's name, the round and its error.
        """
        rng = np.random.default_rng(seed)
        grays = [255 * to_gray(photograph.image / 255, "matlab") for photograph in photographs]
        every, sectors = self._patches(grays, rng)
        options = {"atoms": self.atoms, "sparsity": self.sparsity, "rounds": self.rounds, "seed": seed}
        general = learn_atoms(every, **options, on_round=partial(report, "sr"))
        by_sector = [
            learn_atoms(patches, **options, on_round=partial(report, f"asr.{k}")) for k, patches in enumerate(sectors, start=1)
        ]
        filters = learn_filters(
            self._high_pass(grays, rng), filters=self.filters, side=SIDE, sparsity=self.penalty, rounds=self.filter_rounds,
            seed=seed, on_round=partial(report, "csr"),
        )  # fmt: skip
        return {"sr": general[None], "asr": np.stack([general, *by_sector]), "csr": filters}

    def _patches(self, grays: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """Draw patches without their mean: of every kind, and of each direction."""
        drawn = -(-4 * SECTORS * self.patches // len(grays))  # a rare direction has a few of a hundred patches
        found = []
        for gray in grays:
            windows = np.lib.stride_tricks.sliding_window_view(gray, (SIDE, SIDE))
            rows, columns = (rng.integers(n, size=drawn) for n in windows.shape[:2])
            patches = windows[rows, columns].reshape(drawn, -1)
            found.append(patches[patches.std(1) >= self.contrast].astype(np.float32))
        patches = rng.permutation(np.concatenate(found))
        kinds = direction(patches)
        centred = patches - patches.mean(1, keepdims=True)
        every, *sectors = (centred[: self.patches], *(centred[kinds == k][: self.patches] for k in range(1, SECTORS + 1)))
        if (fewest := min(map(len, [every, *sectors]))) < self.atoms:
            raise DataError(f"the photographs hold only {fewest} patches of one direction; give more, or ask for fewer atoms")
        return every.astype(np.float64), [sector.astype(np.float64) for sector in sectors]

    def _high_pass(self, grays: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Cut one crop from each of some photographs, without its smooth part, in [0, 1] before."""
        crops = []
        for i in rng.permutation(len(grays))[: self.images]:
            gray = grays[i] / 255
            top, left = (int(rng.integers(side - self.crop + 1)) for side in gray.shape)
            high = gray - low_pass(gray, SMOOTHNESS)
            crops.append(high[top : top + self.crop, left : left + self.crop])
        return np.stack(crops).astype(np.float32)


def save(dictionaries: dict[str, np.ndarray], path: Path) -> bytes:
    """Write the dictionaries as float16 and return the bytes of the file.

    That is finer than what was learned.
    """
    from safetensors.numpy import save as to_bytes

    data = to_bytes({name: np.ascontiguousarray(atoms, np.float16) for name, atoms in dictionaries.items()})
    write_atomically(path, data)
    return data


def learn_to_folder(
    recipe: DictionaryRecipe, photographs: Sequence[LabelledImage], out: Path, *, data: str, seed: int, report: Report
) -> Path:
    """Learn, and write dictionaries with their card into a new folder.

    The files are ``dictionaries.safetensors`` and ``dictionaries.json``.

    Args:
        recipe: What to learn.
        photographs: To learn from.
        out: The folder; must not hold a run.
        data: Name of the photographs, for the card.
        seed: Seed of every random choice.
        report: Called after each round with the dictionary's name, the round and its error.

    Raises:
        DataError: The folder holds another run.
    """
    path = out / "dictionaries.safetensors"
    if path.exists():
        raise DataError(f"{out} already holds a run; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    curves: dict[str, list[float]] = {}

    def note(name: str, number: int, error: float) -> None:
        curves.setdefault(name, []).append(round(error, 6))
        report(name, number, error)

    started = time.perf_counter()
    learned = recipe.learn(photographs, seed=seed, report=note)
    weights = save(learned, path)
    card = {
        "name": "dictionaries.default",
        "recipe": asdict(recipe),
        "seed": seed,
        "data": data,
        "licence": LICENCES.get(data, "see the licence of the data"),
        "device": "CPU",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seconds": round(time.perf_counter() - started),
        "shapes": {name: list(atoms.shape) for name, atoms in learned.items()},
        "sha256": hashlib.sha256(weights).hexdigest(),
        "rms": curves,
    }
    write_atomically(path.with_suffix(".json"), (json.dumps(card, indent=1) + "\n").encode())
    return path


PRESETS = {
    "paper": DictionaryRecipe(patches=100_000, rounds=60),
    "practical": DictionaryRecipe(),
    "smoke": DictionaryRecipe(atoms=16, patches=256, sparsity=2, rounds=2, filters=4, images=2, crop=24, filter_rounds=2),
}
