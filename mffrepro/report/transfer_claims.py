"""Test the claims of tlcnn and tlcolor on transfer and on single choices of the network, with the study of transfer.

Each function takes what `mffrepro.report.transfer_study.read_transfer` returns and gives the verdicts, which display and record
themselves. Samples are paired by seed and by pair of photographs.

References: [tlcnn], [tlcolor]. Chapters: 03_tlcnn, 04_tlcolor.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mffrepro.report.claims import Verdict, judge
from mffrepro.report.trainings import epochs_until, final_gap, later_to_share, paired_by_seed
from mffrepro.report.transfer_study import (
    EDGES,
    MADE,
    RANDOM,
    RANDOM_SLIM,
    SIGNS,
    TEXTURES,
    Row,
    TransferStudy,
    changed,
    frozen,
    label,
    sign,
)
from mffrepro.training.studies.transfer import REACHED

#: Claim -> the change whose network it compares with the proposed one (Table 1 of tlcolor).
PARTS: Mapping[str, Row] = {
    "C1.2": changed("cross-entropy of the last decoder"),
    "C1.3": changed("no batch normalisation"),
    "C1.4": changed("normal first weights"),
}
#: Comparisons beside the one that decides on transfer: with random convolutions that cannot learn, and in the slim network.
CONTROLS: Mapping[str, tuple[Row, Row]] = {
    "edges over random, frozen": (EDGES, frozen(RANDOM)),
    "both frozen": (frozen(EDGES), frozen(RANDOM)),
    "textures over random, slim": (TEXTURES, RANDOM_SLIM),
}
AVERAGE, MAXIMUM = changed("average pooling"), changed("maximum pooling")
WIDE = (
    "A VGG-16 that learned ImageNet and then, gently, edges on BSDS500, whose photographs train all of these networks, against "
    "random convolutions of the same width; both trained further, for minutes. The papers transfer a VGG-19 of ImageNet."
)
SLIM = "The slim network that begins with textures, trained for minutes, one change at a time."
LYTRO = " Scores on pairs of Lytro, the test set that the paper names, by the printed rule."


# ---------------------------------------------------------------------------------------------------- tlcnn


def pooling(study: TransferStudy) -> Verdict:
    """Test whether average pooling keeps more than maximum pooling (C0.8).

    Args:
        study: What `read_transfer` returns.
    """
    gain = study.lead(AVERAGE, MAXIMUM, "mask_iou", MADE)
    numbers = _lowest_losses(study, (AVERAGE, MAXIMUM))
    return judge("C0.8", gain, seeds=study.seeds, numbers=numbers, note=SLIM)


def shorter_training(study: TransferStudy) -> Verdict:
    """Test whether transfer shortens the training (C0.10).

    `CONTROLS` are listed.

    Args:
        study: What `read_transfer` returns.
    """
    numbers: dict[str, float | str] = {}
    for name, (row, over) in ({"trained further": (EDGES, RANDOM)} | CONTROLS).items():
        _, lower = paired_by_seed(study.logs[row], study.logs[over], lambda log: log["val_total"].mean())
        found = _later(study, row, over) if name in CONTROLS else {}
        numbers |= {f"{part}, {name}": _listed(later) for part, later in found.items()}
        numbers[f"mean validation loss, random minus transferred, {name}"] = _listed(lower, 2)
    return judge(
        "C0.10", _later(study, EDGES, RANDOM), seeds=study.seeds, numbers=numbers, note=f"{WIDE} Listed: one number per seed."
    )


def _later(study: TransferStudy, row: Row, over: Row) -> dict[str, np.ndarray]:
    """Compute epochs of the second row minus those of the first, by both levels of C0.10, (seeds, 1) each."""
    first, second = study.logs[row], study.logs[over]
    _, by_share = later_to_share(first, second)
    _, by_level = paired_by_seed(first, second, lambda log: epochs_until(log["val_iou"], REACHED))
    return {"to nine tenths of the best overlap": by_share, f"to an overlap of {REACHED}": by_level}


def _listed(by_seed: np.ndarray, digits: int = 0) -> str:
    return ", ".join(f"{value:+.{digits}f}" for value in by_seed.ravel())


def _lowest_losses(study: TransferStudy, rows: tuple[Row, ...]) -> dict[str, float]:
    return {
        f"lowest validation loss, {label(row)}": float(np.mean([log["val_total"].min() for log in study.logs[row].values()]))
        for row in rows
    }


def normalisation(
    study: TransferStudy, normalised: Mapping[int, pd.DataFrame], bare: Mapping[int, pd.DataFrame]
) -> list[Verdict]:
    """Test what batch normalisation does to a training (C0.9, C0.15).

    The trainings of the study of over-fitting decide; the shorter ones of the study of transfer are listed.

    Args:
        study: What `read_transfer` returns.
        normalised: Logs on few photographs by seed.
        bare: The same without batch normalisation.
    """
    note = "Slim networks that begin with textures, 24 epochs on 20 photographs."
    seeds, slower = later_to_share(normalised, bare)
    _, short = later_to_share(study.logs[TEXTURES], study.logs[PARTS["C1.3"]])
    numbers = {"in the short trainings of the study of transfer, one number per seed": _listed(short)}
    late = f"{note} A training that does not get there counts as 25 epochs."
    gaps = {
        f"validation minus training loss, {kind}, seed {seed}": final_gap(log)
        for kind, logs in {"with normalisation": normalised, "without": bare}.items()
        for seed, log in logs.items()
    }
    paired, wider = paired_by_seed(normalised, bare, final_gap)
    return [
        judge("C0.9", slower, seeds=seeds, numbers=numbers, note=late),
        judge("C0.15", wider, seeds=paired, numbers=gaps, note=note),
    ]


# --------------------------------------------------------------------------------------------------- tlcolor


def parts_of_the_model(study: TransferStudy) -> list[Verdict]:
    """Test what loss, batch normalisation and first weights contribute (C1.1 to C1.4).

    The overlap with the true map on made pairs is listed; the claims are about the five metrics.

    Args:
        study: What `read_transfer` returns.
    """
    gains = {claim: {name: study.lead(TEXTURES, row, name) for name in SIGNS} for claim, row in PARTS.items()}
    overlaps = {claim: study.lead(TEXTURES, row, "mask_iou", MADE) for claim, row in PARTS.items()}
    leads = {claim: {"lead in overlap with the true map, by seed": _listed(gain.mean(1), 3)} for claim, gain in overlaps.items()}
    every = {f"{name} against {label(PARTS[claim])}": gain for claim, gained in gains.items() for name, gain in gained.items()}
    same = {"seeds": study.seeds, "scenes": "own", "note": SLIM + LYTRO}
    return [judge("C1.1", every, **same), *(judge(claim, gains[claim], numbers=leads[claim], **same) for claim in PARTS)]


def transfer(study: TransferStudy) -> list[Verdict]:
    """Test whether the transferred network fuses better (C1.6 to C1.9).

    `CONTROLS` are listed.

    Args:
        study: What `read_transfer` returns.
    """
    leads = study.leads(EDGES, RANDOM)
    others = {name: study.leads(row, over) for name, (row, over) in CONTROLS.items()}
    lost = {name: (lead <= 0).astype(float) for name, lead in leads.items()}
    same = {"seeds": study.seeds, "scenes": "own", "note": WIDE + LYTRO}

    def listed(*metrics: str) -> dict[str, float | str]:
        means = {f"mean lead in {name}": float(leads[name].mean()) for name in metrics}
        controlled = {(name, kind): found[name] for kind, found in others.items() for name in metrics}
        return means | {f"{name}, {kind}": f"{lead.mean():+.3g}, {sign(lead)}" for (name, kind), lead in controlled.items()}

    three = ("qabf", "mi", "ag")
    found, truth = leads["mask_iou"], "mask_iou"
    return [
        judge("C1.6", {name: lost[name] for name in three}, numbers=listed(*three), **same),
        judge("C1.7", lost["labf"], numbers=listed("labf"), **same),
        judge("C1.8", leads["sf"], numbers=listed("sf"), **same),
        judge("C1.9", -found, seeds=study.seeds, numbers=listed(truth), note=f"{WIDE} Made pairs, by the printed rule."),
    ]


def strides(study: TransferStudy) -> Verdict:
    """Test whether a stride keeps more detail than a pooling (C1.20).

    Args:
        study: What `read_transfer` returns.
    """
    parts = {f"stride minus {label(row)}": study.lead(TEXTURES, row, "mask_iou", MADE) for row in (AVERAGE, MAXIMUM)}
    return judge("C1.20", parts, seeds=study.seeds, note=f"{SLIM} Made pairs, by the printed rule.")
