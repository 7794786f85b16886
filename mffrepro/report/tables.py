"""Tables: scores with the best marked by each metric's own direction, and reported beside reproduced numbers."""

import inspect
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import Colormap, to_hex
from pandas.io.formats.style import Styler

from mffrepro import metrics as quality
from mffrepro.data.manifests import manifest_folder
from mffrepro.methods import MethodCard
from mffrepro.report.style import next_number

ARROWS = {"higher": "↑", "lower": "↓", None: ""}


class Table(Styler):
    """Show a table under its number, which is an anchor too.

    It gets the number when it is first shown.
    """

    number = 0

    def _repr_html_(self) -> str:
        if self.caption and not self.number:
            self.number = next_number("table")
            self.set_caption(f"Table {self.number}. {self.caption}")
            self.set_table_attributes(f'id="table-{self.number}"')
        return super()._repr_html_()


def means(results: pd.DataFrame, *, index: str = "method") -> pd.DataFrame:
    """Average each metric over the stacks of a benchmark, one row per method.

    The mean seconds come last.

    Args:
        results: What `mffrepro.benchmark` returns.
        index: Column that names the rows.

    Returns:
        Rows and columns in the order in which they appear; NaN where nothing could be computed.
    """
    rows, columns = results[index].unique(), results["metric"].unique()
    table = results.pivot_table(index=index, columns="metric", values="value", aggfunc="mean", dropna=False)
    table = table.reindex(index=rows, columns=columns)
    table["seconds"] = results.groupby(index)["seconds"].mean()
    return table


def scores(table: pd.DataFrame, *, caption: str = "", digits: int = 4) -> Styler:
    """Show methods by metrics, the best of each in bold.

    The direction is that of the metric.

    Args:
        table: One column per metric name; further columns such as ``seconds`` count as lower is better.
        caption: Above the table.
        digits: Decimals.
    """
    marks = pd.DataFrame("", index=table.index, columns=table.columns)
    for name in table.columns:
        direction = _direction(name)
        values = table[name].dropna()
        if direction is not None and len(values) > 1:
            marks.loc[table[name] == (values.max() if direction == "higher" else values.min()), name] = "font-weight:bold"
    heads = {name: f"{name} {ARROWS[_direction(name)]}".strip() for name in table.columns}
    styler = Table(table).format(precision=digits, na_rep="–").apply(lambda _: marks, axis=None)
    return _dressed(styler.format_index(lambda name: heads.get(name, name), axis=1), caption)


def _direction(name: str) -> str | None:
    if name == "seconds":
        return "lower"
    return quality.get(name).better if name in quality.names() else None


def beside(reported: pd.DataFrame, reproduced: pd.DataFrame, *, caption: str = "", digits: int = 4) -> Styler:
    """Show three columns for every metric: reported, reproduced, difference.

    Args:
        reported: Rows by columns, as printed in a paper.
        reproduced: The same names, as computed; a row or column that either side lacks shows a dash there.
        caption: Above the table.
        digits: Decimals.
    """
    rows = list(dict.fromkeys([*reported.index, *reproduced.index]))
    columns = list(dict.fromkeys([*reported.columns, *reproduced.columns]))
    left, right = (frame.reindex(index=rows, columns=columns) for frame in (reported, reproduced))
    parts = {"reported": left, "reproduced": right, "difference": right - left}
    table = pd.concat(parts, axis=1).swaplevel(axis=1)[[(c, p) for c in columns for p in parts]]
    signs = {"reported": "", "reproduced": "", "difference": "+"}
    formats = {(c, p): f"{{:{signs[p]}.{digits}f}}" for c, p in table.columns}
    return _dressed(Table(table).format(formats, na_rep="–"), caption)


def plain(table: pd.DataFrame, *, caption: str = "", digits: int = 4) -> Styler:
    """Show any small table in the common style; text is set from the left and wraps."""
    styler = Table(table).format(precision=digits, na_rep="–")
    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    styler = styler.set_properties(subset=words, **{"text-align": "left !important", "white-space": "normal !important"})
    return _dressed(styler, caption)


def heat(table: Table, colours: str | Colormap, *, low: float, high: float) -> Table:
    """Colour the cells of a table by their numbers.

    The text is black or white, whichever can be read.

    Args:
        table: What `plain` or `scores` returns.
        colours: A colour map, or its name.
        low: Value of the first colour.
        high: Value of the last.
    """
    shade = matplotlib.colormaps[colours] if isinstance(colours, str) else colours

    def props(value: float) -> str:
        if pd.isna(value):
            return ""
        rgb = np.array(shade((value - low) / (high - low))[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        luminance = linear @ (0.2126, 0.7152, 0.0722)  # by WCAG 2: above 0.179 black has more contrast than white
        return f"background-color:{to_hex(rgb)};color:{'#000' if luminance > 0.179 else '#fff'} !important"

    return table.map(props)


def deviations(card: MethodCard) -> str:
    """Return what a method's docstring says of how it differs from the original.

    It is one paragraph, empty where the docstring has none.
    """
    text = inspect.getdoc(card.function()) or ""
    section = re.search(r"^Deviations:\n((?: .*\n|\n)+)", text, re.MULTILINE)
    return " ".join(section[1].split()).replace("`", "") if section else ""


def sortable(table: pd.DataFrame):
    """Show a table that the reader can sort and search, without a network.

    It is a plain one where itables is not installed.
    """
    try:
        import itables
    except ModuleNotFoundError:
        return plain(table)
    itables.init_notebook_mode(all_interactive=False, connected=False)
    options = {"maxBytes": 0, "maxRows": 0, "maxColumns": 0}  # beyond these, itables would leave rows out
    options |= {"lengthMenu": [10, 25, 100], "classes": "display compact", "style": "width:100%", "connected": False}
    itables.show(table, **options)
    return None


def _dressed(styler: Styler, caption: str) -> Styler:
    """Set figures from the right, with thin lines, and no index name in a row of its own."""
    frame = {
        "selector": "",
        "props": "border-collapse:collapse;font-size:0.9em;font-variant-numeric:tabular-nums;display:block;overflow-x:auto",
    }
    cells = {"selector": "th, td", "props": "padding:0.25em 0.45em;text-align:right;border:0;white-space:nowrap"}
    heads = {"selector": "thead th", "props": "border-bottom:2px solid #888"}
    names = {"selector": "tbody th", "props": "text-align:left;font-weight:normal"}
    title = {"selector": "caption", "props": "caption-side:top;text-align:left;padding:0.3em 0;font-weight:bold"}
    styler = styler.set_table_styles([frame, cells, heads, names, title])
    styler.index.names = [None] * styler.index.nlevels
    styler.columns.names = [None] * styler.columns.nlevels
    return styler.set_caption(caption) if caption else styler


# ---------------------------------------------------------------------------------- what the papers print

#: Symbols in the papers' tables -> metric names here.
SYMBOLS = {
    "Q_g": "qg", "Q_y": "qy", "Q_ncie": "qncie", "Q_cb": "qcb", "FMI_EDGE": "fmi_edge", "FMI_DCT": "fmi_dct",
    "Q_ABF": "qabf", "Q_LABF": "labf", "Q_MI": "mi", "Q_AG": "ag", "Q_SF": "sf", "IE": "en", "AG": "ag", "SD": "sd", "SF": "sf",
    "Time_s": "seconds",
}  # fmt: skip

#: Names in the papers' tables -> methods here; a network's printed numbers are those of the authors' weights.
PRINTED_NAMES = {
    "GACN": "gacn.published", "CVT": "cvt", "DSIFT": "dsift", "DTCWT": "dtcwt", "DWT": "dwt", "Focus-Stack": "focus_stack",
    "LP": "lp",
    "MWG": "mwg", "NSCT": "nsct", "RP": "rp", "SF": "sf", "SR": "sr", "ASR": "asr", "CSR": "csr", "MSVD": "msvd", "GD": "gd",
    "MSTSR": "mst_sr", "MGIVF": "mgivf", "PCA": "pca", "LPT": "lp", "NSST": "nsst", "PCNN": "pcnn",
    "CNN-Fuse": "cnn_fuse", "SESF-Fuse": "sesf.published", "Dense-Fuse": "densefuse.published", "IFCNN": "ifcnn.published",
    "U2Fusion": "u2fusion.published", "MFF-GAN": "mff_gan.published", "PMGI": "pmgi.published", "DRPL": "drpl",
    "FusionDN": "fusiondn", "MFF-SSIM": "mff_ssim",
}  # fmt: skip

#: Names in GACN's Table 3 -> methods here.
TIMED_NAMES = {"GACN": "gacn", "SESF-Fuse": "sesf", "CNN-Fuse": "cnn_fuse"}


def reported(name: str) -> pd.DataFrame:
    """Read a table as a paper prints it, with this package's metric names.

    Args:
        name: Name of a file in ``data_manifests/papers/reported``, such as ``"p004_table1"``.
    """
    table = pd.read_csv(reported_folder() / f"{name}.csv")
    columns = table["metric"].unique()
    wide = table.pivot_table(index="method", columns="metric", values="value", aggfunc="first", sort=False)
    return wide.reindex(columns=columns).rename(columns=SYMBOLS)


def reported_folder() -> Path:
    """Return the folder of the tables that the papers print."""
    return manifest_folder() / "papers" / "reported"


def parameter_counts(name: str, parts: Mapping[str, Any], *, caption: str) -> Styler:
    """Count the parameters of a network beside those of the authors.

    Args:
        name: Name of a file in ``data_manifests/papers/reported``, such as ``"p004_parameters"``.
        parts: Part, as that file names it -> its module of torch.
        caption: Above the table.
    """
    theirs = pd.read_csv(reported_folder() / f"{name}.csv", index_col="part")["parameters"]
    ours = {part: sum(p.numel() for p in module.parameters()) for part, module in parts.items()}
    return plain(pd.DataFrame({"authors' checkpoint": theirs, "here": ours}), caption=caption, digits=0)


def method_names(table: pd.DataFrame, names: dict[str, str], *, keep: Sequence[str] | None = None) -> pd.DataFrame:
    """Rename rows from a paper's method names to ours; `keep` selects and orders."""
    renamed = table.rename(index=names)
    return renamed if keep is None else renamed.reindex([name for name in keep if name in renamed.index])


# --------------------------------------------------------------------------------------------- facts of metrics


def typeset(symbol: str) -> str:
    """Turn a symbol in TeX, such as ``Q^{AB/F}``, into HTML."""
    symbol = re.sub(r"_\{?([^{}^_]+)\}?", r"<sub>\1</sub>", symbol)
    return re.sub(r"\^\{?([^{}^_<]+)\}?", r"<sup>\1</sup>", symbol)


def metric_facts(cards: Sequence[quality.MetricCard]) -> pd.DataFrame:
    """List symbol, direction, range, identity value and source of metrics."""

    def bounds(card: quality.MetricCard) -> str:
        low, high = ("" if end is None else f"{end:.3g}" for end in (card.low, card.high))
        return f"{low} … {high}".replace("-", "−") if low or high else ""

    return pd.DataFrame(
        {
            card.name: {
                "symbol": typeset(card.symbol),
                "better": ARROWS[card.better],
                "range": bounds(card),
                "identity": "" if card.identity is None else f"{card.identity:.4g}".replace("inf", "∞"),
                "source": card.source,
            }
            for card in cards
        }
    ).T
