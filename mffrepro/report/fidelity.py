"""Show how near methods and metrics come to images and scores that others published."""

import pandas as pd

from mffrepro.data.manifests import manifest_folder
from mffrepro.methods import MethodCard

_PUBLISHER = {"liu2020survey": "survey", "zhang2020mfifb": "MFIFB"}


def image_table(cards: list[MethodCard]) -> pd.DataFrame:
    """Summarise the comparison with published images by the median and the worst.

    Args:
        cards: Methods; one without a published image has a row of dashes.

    Returns:
        method, settings, compared with, images (number), equal and worst (share of equal values, of the median and the worst
        image), PSNR (of the worst, dB); all of them text.
    """
    images = pd.read_csv(manifest_folder() / "fidelity" / "images.csv", keep_default_na=False, dtype={"psnr": float})
    images["stored"] = images["image"].str.extract(r"^[a-z]+(?:_\d+)?_(.+)$")
    rows = []
    for card in cards:
        own = images[images["method"] == card.name]
        for (settings, against, stored), group in own.groupby(["options", "against", "stored"], sort=False):
            row = {"method": card.name, "settings": settings or "default", "compared with": f"{_PUBLISHER[against]}, {stored}"}
            shares = {"equal": group["equal"].median(), "worst": group["equal"].min()}
            numbers = {"images": f"{len(group)}"} | {name: f"{share:.3%}" for name, share in shares.items()}
            rows.append(row | numbers | {"PSNR": f"{group['psnr'].min():.1f}"})
        if own.empty:
            dashes = dict.fromkeys(("compared with", "images", "equal", "worst", "PSNR"), "–")
            rows.append({"method": card.name, "settings": ""} | dashes)
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


def parity_table() -> pd.DataFrame:
    """Compare the metrics with the programs they were published with.

    The images made by formula are scored now; the comparison on photographs is recorded.

    Returns:
        Metrics by (images, quantity): the largest relative error, and on photographs how far the original disagrees with
        itself when its sums are taken in another order. All cells are text.
    """
    import mffrepro as mff
    from mffrepro.data.formula import formula_images, formula_sources

    goldens = pd.read_csv(manifest_folder() / "fidelity" / "metrics_synthetic.csv")
    goldens = goldens[goldens["method"] != "const128"]  # where values are undefined or rounding noise; tested elsewhere
    errors = []
    for (pair, method), rows in goldens.groupby(["pair", "method"], sort=False):
        scene, *names = formula_sources(pair)
        images = formula_images(scene)
        ours = mff.evaluate([images[name] for name in names], images[method], list(rows["name"]))
        for name, value in zip(rows["name"], rows["value"], strict=True):
            errors.append((name, abs(ours[name] - value) / max(abs(value), 1e-5)))
    formula = pd.DataFrame(errors, columns=["name", "error"]).groupby("name", sort=False)["error"].agg(["size", "max"])
    photographs = pd.read_csv(manifest_folder() / "fidelity" / "metrics_photographs.csv").set_index("metric")
    short = {"Kumar's evaluation code": "Kumar's code", "defined here": "exact moments"}
    columns = {
        ("", "source"): pd.Series({name: mff.metrics.get(name).source for name in formula.index}).replace(short),
        ("images by formula", "number"): formula["size"].map("{:.0f}".format),
        ("images by formula", "error"): formula["max"].map("{:.0e}".format),
        ("photographs", "number"): photographs["images"].map("{:.0f}".format),
        ("photographs", "error"): photographs["error"].map("{:.0e}".format),
        ("photographs", "scatter"): photographs["noise"].map("{:.0e}".format),
    }
    table = pd.DataFrame({head: column.reindex(formula.index) for head, column in columns.items()})
    return table.fillna("–").replace("0e+00", "0")
