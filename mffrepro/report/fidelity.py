"""Show how near the classical methods come to images and scores that others published."""

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.methods import MethodCard

_PUBLISHER = {"liu2020survey": "survey", "zhang2020mfifb": "MFIFB"}


def image_table(cards: list[MethodCard]) -> pd.DataFrame:
    """Summarise the comparison with published images by the worst image of each.

    Args:
        cards: Methods; one without a published image has a row of dashes.

    Returns:
        method, settings, compared with, images (number), equal (share of equal values), PSNR (dB); all of them text.
    """
    images = pd.read_csv(manifest_folder() / "fidelity" / "images.csv", keep_default_na=False, dtype={"psnr": float})
    images["stored"] = images["image"].str.extract(r"^[a-z]+_\d+_(.+)$")
    rows = []
    for card in cards:
        own = images[images["method"] == card.name]
        for (settings, against, stored), group in own.groupby(["options", "against", "stored"], sort=False):
            row = {"method": card.name, "settings": settings or "default", "compared with": f"{_PUBLISHER[against]}, {stored}"}
            worst = {"images": f"{len(group)}", "equal": f"{group['equal'].min():.3%}", "PSNR": f"{group['psnr'].min():.1f}"}
            rows.append(row | worst)
        if own.empty:
            rows.append({"method": card.name, "settings": ""} | dict.fromkeys(("compared with", "images", "equal", "PSNR"), "–"))
    return pd.DataFrame(rows).replace("inf", "∞")


def score_table() -> tuple[pd.DataFrame, int]:
    """Read scores that others recorded, with the differences of ours.

    Returns:
        Methods by (metric, ``"recorded"`` or ``"difference"``), means over the pairs, and the largest number of pairs.
    """
    records = pd.read_csv(manifest_folder() / "fidelity" / "scores.csv", keep_default_na=False)
    index = ["method", "options"]
    recorded, measured = (
        records.pivot_table(index=index, columns="metric", values=side, sort=False) for side in ("recorded", "measured")
    )
    parts = {"recorded": recorded, "difference": measured - recorded}
    table = pd.concat(parts, axis=1).swaplevel(axis=1)[[(metric, part) for metric in recorded.columns for part in parts]]
    table.index = [" ".join(filter(None, key)) for key in table.index]
    return table, int(records["pairs"].max())
