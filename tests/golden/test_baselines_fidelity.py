"""The fidelity tables of the chapter on classical methods, measured again where that is quick.

``data_manifests/fidelity/images.csv`` compares images with images that others published, ``scores.csv`` mean scores with
scores that others recorded. `regenerate_fidelity.py` writes both.
"""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from outputs import LOSSLESS, SEEN_IN_COLOUR, SURVEY, in_colour, stored
from PIL import Image

import mffrepro as mff
from mffrepro.baselines import msvd
from mffrepro.data.manifests import manifest_folder
from mffrepro.images import FocusStack, to_unit
from mffrepro.models.layers import truncated

IMAGES, RECORDS = (manifest_folder() / "fidelity" / name for name in ("images.csv", "scores.csv"))


#: Rows of the records that name a method of this package, with its options. Not `sr`: the dictionary is another.
RECORDED = (
    *((name, {}) for name in ("lp", "rp", "dwt", "dtcwt", "cvt", "nsct", "mwg", "dsift", "sf", "focus_stack")),
    ("sf", {"threshold": 255}),  # never reached: the average of the sources
    ("focus_stack", {"as_published": True}),
)
#: Their programs hand out 8-bit images.
WRITTEN = ("mwg", "dsift", "focus_stack")
METRICS = {"Qg": "qg", "Qncie": "qncie", "Qcb": "qcb"}


def fuse(sources: list[np.ndarray], case: "Case") -> np.ndarray:
    return mff.fuse(sources, case.method, **case.options).image.astype(np.float64)


def fuse_and_stretch(sources: list[np.ndarray], case: "Case") -> np.ndarray:
    """From the darkest value 0 to the brightest 255, as MFIFB stored results of some methods."""
    return _stretched(fuse(sources, case))


def fuse_and_stretch_gray(sources: list[np.ndarray], case: "Case") -> np.ndarray:
    """Here files for colour were not stretched, and those for gray before the result was clipped and rounded."""
    if sources[0].ndim == 3:
        return fuse(sources, case)
    return _stretched(msvd._fuse_channel(to_unit(np.stack(sources), np.float64)))


def fuse_in_colour(sources: list[np.ndarray], case: "Case") -> np.ndarray:
    """Gray sources as colour, which a network with a mean for each channel tells apart."""
    return fuse([in_colour(source) for source in sources], case)


def fuse_compressed(sources: list[np.ndarray], case: "Case") -> np.ndarray:
    """MFIFB's program stores its sources as JPEG of quality 75 and reads them again."""
    return fuse([_compressed(source) for source in sources], case)


def _compressed(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=75)
    return np.array(Image.open(file))


def _stretched(image: np.ndarray) -> np.ndarray:
    return (image - image.min()) / np.ptp(image) * 255


class Case(NamedTuple):
    """A method, its options, and the published images to compare with.

    Attributes:
        stored: How the published files call the method.
        order: Sources as the publisher's program was given them, which decides ties.
        run: Makes the image as it was stored.
        slow: Over five seconds for a gray pair; the test leaves it out.
    """

    method: str
    stored: str
    pairs: tuple[str, ...] = SURVEY
    order: str = "12"
    options: dict[str, Any] = {}  # noqa: RUF012 - never written to
    run: Callable[[list[np.ndarray], "Case"], np.ndarray] = fuse
    slow: bool = False

    @property
    def against(self) -> str:
        return "liu2020survey" if self.pairs[0] in SURVEY else "zhang2020mfifb"

    @property
    def options_text(self) -> str:
        return as_text(self.options)


def as_text(options: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


#: The sparse methods are compared with the dictionary that the published results were made with; ours is another.
PUBLISHED = {"dictionary": "published"}
AS_SAVED = {"weights": "published", "as_published": True}
CASES = (
    Case("lp", "MST_SR", LOSSLESS, "BA"),  # its twin, but for the base
    Case("rp", "RP_SR", LOSSLESS, "BA"),
    Case("dwt", "dwt"),
    Case("dwt", "dwt", options={"wavelet": "db3", "mode": "symmetric"}),
    Case("dtcwt", "dtcwt"),
    Case("gff", "gff"),
    Case("gff", "GFF", LOSSLESS, "AB", run=fuse_compressed),
    Case("nsct", "nsct"),
    Case("dsift", "dsift"),
    Case("dsift", "DSIFT", LOSSLESS, "BA", slow=True),
    Case("mwg", "mwgf", slow=True),
    Case("mwg", "MWGF", LOSSLESS, "AB", slow=True),
    Case("cbf", "CBF", LOSSLESS, "BA"),
    Case("mgivf", "MGFF", LOSSLESS, "BA", run=fuse_and_stretch),
    Case("msvd", "MSVD", LOSSLESS, "BA", run=fuse_and_stretch_gray),
    Case("gd", "GD", LOSSLESS, "AB"),
    Case("mst_sr", "MST_SR", LOSSLESS, "BA", {"transform": "lp", **PUBLISHED}),
    Case("mst_sr", "RP_SR", LOSSLESS, "BA", {"transform": "rp", **PUBLISHED}),
    Case("csr", "CSR", LOSSLESS, "BA", PUBLISHED, slow=True),
    Case("sr", "sr", ("g_01", "g_02"), options=PUBLISHED, slow=True),
    Case("asr", "asr", ("g_01", "g_02"), options=PUBLISHED, slow=True),
    Case("asr", "ASR", LOSSLESS, "AB", {**PUBLISHED, "means": "average"}, slow=True),
    Case("ifcnn", "IFCNN", LOSSLESS, "BA", AS_SAVED, run=fuse_in_colour),
    Case("sesf", "SESF", LOSSLESS, "BA", AS_SAVED),
)


def compare(folder: Path, case: Case, pair: str) -> dict[str, float]:
    """Share of equal values and PSNR of one pair; a value counts as equal if rounding could have made it so."""
    sources = [stored(folder, f"src_{pair}_{letter}") for letter in case.order]
    if pair in SEEN_IN_COLOUR:
        sources = [in_colour(source) for source in sources]
    fused, published = case.run(sources, case), stored(folder, f"{pair}_{case.stored}")
    gap = (fused if fused.ndim == published.ndim else in_colour(fused)) - published
    gap[np.abs(gap) <= 0.5 + 1e-9] = 0
    with np.errstate(divide="ignore"):
        return {"equal": float((gap == 0).mean()), "psnr": float(10 * np.log10(255**2 / np.square(gap).mean()))}


def recorded_scores() -> pd.DataFrame:
    """What the authors of GACN recorded for each of its 26 pairs: (method, stack) by metric."""
    records = pd.read_csv(manifest_folder() / "papers" / "reported" / "p004_authors_records.csv").rename(columns=METRICS)
    records["stack"] = records["pair"].str.replace("^(color|gray)_", "", regex=True)
    chosen = records["method"].isin([name for name, _ in RECORDED]) & records["stack"].isin(mff.load("gacn26").names)
    return records[chosen].set_index(["method", "stack"])[list(METRICS.values())]


def scores_as_recorded(stack: FocusStack, method: str, options: dict[str, Any]) -> dict[str, float]:
    """The recorded metrics by the authors' protocol: images cut down to 8 bits, where a program does not write them itself."""
    sources = stack if method in WRITTEN else replace(stack, images=to_unit(stack.images))
    fused = truncated(to_unit(mff.fuse(sources, method, **options).image))
    return mff.evaluate(stack, (255 * fused + 0.5).astype(np.uint8), list(METRICS.values()), gray="skimage")


# ---------------------------------------------------------------------------------------------------- tests


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MFFREPRO_CACHE", str(tmp_path))


@pytest.mark.parametrize("case", [case for case in CASES if not case.slow], ids=lambda c: f"{c.method}-{c.stored}")
def test_a_row_of_the_table_is_what_is_measured(goldens, mirror, own_cache, case):
    """The first pair of each; how far a sum of floats is rounded differs from machine to machine."""
    table = pd.read_csv(IMAGES, keep_default_na=False)
    key = {"method": case.method, "options": case.options_text, "image": f"{case.pairs[0]}_{case.stored}"}
    (row,) = table[(table[list(key)] == pd.Series(key)).all(axis=1)].to_dict("records")
    measured = compare(goldens / "baselines", case, case.pairs[0])
    assert measured["equal"] == pytest.approx(row["equal"], abs=1e-4)
    if measured["equal"] < 0.999:
        assert measured["psnr"] == pytest.approx(float(row["psnr"]), abs=0.1)


def test_the_table_has_a_row_for_each_case_and_pair():
    table = pd.read_csv(IMAGES, keep_default_na=False)
    wanted = [(case.method, case.options_text, f"{pair}_{case.stored}") for case in CASES for pair in case.pairs]
    assert list(table[["method", "options", "image"]].itertuples(index=False, name=None)) == wanted
    assert table["equal"].between(0, 1).all()


def test_recorded_means_are_those_of_the_authors_records():
    table = pd.read_csv(RECORDS, keep_default_na=False).set_index(["method", "metric"])
    means = recorded_scores().groupby("method", sort=False).mean().stack()
    assert set(table.index) == set(means.index)
    assert table["recorded"].to_numpy() == pytest.approx(means.loc[table.index].to_numpy(), abs=1e-6)


#: Rows of `RECORDED` whose program is known: settings of a toolbox, the authors' own, an average, a program with registration.
IDENTIFIED = [case for case in RECORDED if case[0] in ("lp", "rp", "dtcwt", "cvt", "nsct", "mwg") or case[1]]


@pytest.mark.parametrize(("method", "options"), IDENTIFIED)
def test_means_are_within_three_thousandths_of_the_records(method, options):
    table = pd.read_csv(RECORDS, keep_default_na=False)
    rows = table[(table["method"] == method) & (table["options"] == as_text(options))]
    assert len(rows) == len(METRICS)
    assert (rows["measured"] - rows["recorded"]).abs().max() < 3e-3


@pytest.mark.parametrize(("method", "options"), [case for case in IDENTIFIED if case[0] != "nsct"])
def test_scores_of_one_pair_are_those_recorded(mirror, method, options):
    scores = scores_as_recorded(mff.load("gacn26")["lytro_01"], method, options)
    recorded = recorded_scores().loc[method, "lytro_01"]
    assert scores == pytest.approx(recorded.to_dict(), abs=2.5e-3)
