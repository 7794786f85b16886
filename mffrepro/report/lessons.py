"""Collect what single ideas of the five papers are worth, from the recorded measurements and studies of the other chapters.

Each lesson compares two variants that differ in one idea, on the same pairs or stacks, and where networks were trained, by the
same seeds. Chapter: 11_lessons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from mffrepro.benchmarks.measurements import gains, recorded
from mffrepro.methods import parse
from mffrepro.report.evidence import estimate, outcome
from mffrepro.report.gacn26 import scores
from mffrepro.report.interval_chart import numbers
from mffrepro.report.tables import plain
from mffrepro.report.trainings import on_stacks, paired_by_seed, study_files
from mffrepro.report.transfer_study import EDGES, RANDOM, TEXTURES, read_transfer
from mffrepro.report.whole_stacks import wide

#: Reference of the method that was made of the lessons.
OURS = "mffrepro2026"
WORDS = {"helps": 1, "hurts": -1}


@dataclass(frozen=True, eq=False)
class Lesson:
    """Hold what one idea changes.

    Attributes:
        idea: The idea.
        compared: With it, and without it.
        unit: What is measured, more being better.
        samples: With minus without: (images,), or (seeds, images) where networks were trained.
        chapter: Where it is shown.
    """

    idea: str
    compared: str
    unit: str
    samples: np.ndarray
    chapter: str

    @property
    def finding(self) -> str:
        """Say whether the idea helps or hurts, by the rule of the verdicts."""
        for word, sign in WORDS.items():
            if outcome(estimate(sign * self.samples), "greater", 0, trainings=self.samples.ndim == 2) == "holds":
                return word
        return "undecided"


def all_lessons() -> list[Lesson]:
    """Compute all lessons from what is recorded."""
    return [*_outputs(), *_trainings(), *_transfer(), *_after_the_network(), *_many_images(), *_whole_stacks()]


def lesson_table(lessons: list[Lesson], *, caption: str) -> Styler:
    """Tabulate lessons with their intervals.

    Args:
        lessons: What `all_lessons` returns.
        caption: Above the table.
    """
    rows = []
    for lesson in lessons:
        found = estimate(lesson.samples)
        images = f"{found.images} images" if found.images > 1 else "means"
        samples = f"{found.seeds} seeds, {images}".replace("1 seeds", "1 seed") if found.seeds else images
        rows.append(
            {
                "idea": lesson.idea,
                "compared": lesson.compared,
                "measured": lesson.unit,
                "effect and 95 % interval": numbers(found),
            }
            | {"samples": samples, "finding": lesson.finding, "chapter": lesson.chapter.partition("_")[0]}
        )
    return plain(pd.DataFrame(rows), caption=caption).hide(axis="index")


def _outputs() -> Iterator[Lesson]:
    """Compare networks that choose with networks that paint: all that have weights of this package."""
    for unit, rows in _by_kind().items():
        means = rows.groupby(["chooses", "stack"])["value"].mean()
        lead = (means[True] - means[False]).to_numpy()
        yield Lesson("choose pixels", "decision maps, decoders", unit, lead, "09_leaderboard")


def output_kinds() -> pd.DataFrame:
    """Tabulate the scores of networks that choose pixels, and of those that do not.

    Returns:
        What is measured and of which kind, by: number of networks, lowest, median and highest mean of a network.
    """
    found = {}
    for unit, rows in _by_kind().items():
        for chooses, of_kind in rows.groupby("chooses"):
            means = of_kind.groupby("method")["value"].mean()
            kind = "decision maps" if chooses else "decoders"
            found[unit, kind] = {"networks": len(means), "lowest": means.min(), "median": means.median(), "highest": means.max()}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(["measured", "kind"])


def _by_kind() -> dict[str, pd.DataFrame]:
    """Read Q_g on pairs and PSNR on stacks of eight frames: method, stack, value, and whether the network chooses."""
    pairs = scores()
    stacks = wide(recorded("whole_stacks"), "psnr")["frames8"].reset_index(name="value").rename(columns={"scene": "stack"})
    tables = {"Q_g": pairs[pairs["metric"] == "qg"], "PSNR, dB": stacks}
    chosen = {unit: rows[rows["method"].map(_is_plain_network)] for unit, rows in tables.items()}
    return {
        unit: rows.assign(chooses=rows["method"].map(lambda name: parse(name)[0].has_decision)) for unit, rows in chosen.items()
    }


def _is_plain_network(name: str) -> bool:
    card, weights, variant = parse(name)
    return card.kind == "network" and card.bibkey != OURS and (weights, variant) == ("default", "")


def _trainings() -> Iterator[Lesson]:
    losses = study_files("gacn_losses", "scores", "losses")
    _, gain = paired_by_seed(losses["dice"], losses["dice + qg"], on_stacks("qg"))
    yield Lesson("train for the fused image", "Dice and Q_g, Dice", "Q_g", gain, "15_gacn_trainings")
    choices = study_files("gacn_trainings", "scores", "changed")
    ideas = {
        "attention": ("attention=False", "with, without"),
        "blur across borders in training": ("defocus=mask", "defocus spread, plain masks"),
        "a slope that grows": ("slope_start=1000.0 slope_epochs=0", "schedule, steep from the start"),
    }
    for idea, (changed, compared) in ideas.items():
        _, gain = paired_by_seed(choices[changed], choices[""], on_stacks("qg"))
        yield Lesson(idea, compared, "Q_g", gain, "15_gacn_trainings")
    domains = study_files("subbands", "scores", "domain", "details")
    for metric, data, unit in (("qabf", "real", "Q_ABF"), ("psnr", "embedded", "PSNR, dB")):
        _, gain = paired_by_seed(domains["blocks", ""], domains["wavelet", "larger"], on_stacks(metric, data=data))
        yield Lesson("compute sub-bands", "sub-bands, pixels of blocks", unit, gain, "06_cnnwt")
    seeds = recorded("gacn_seeds").pivot(index="stack", columns="variant", values="qg")
    apart = (seeds["seed2"] - seeds["default"]).to_numpy()[None]
    yield Lesson("another seed", "seed 2, seed 1", "Q_g", apart, "15_gacn_trainings")


def _transfer() -> Iterator[Lesson]:
    study = read_transfer()
    for idea, compared, row, over in (
        ("transfer", "features of photographs, random", EDGES, RANDOM),
        ("batch normalisation", "with, without", TEXTURES, (*TEXTURES[:2], "no batch normalisation")),
    ):
        yield Lesson(idea, compared, "Q_ABF", study.lead(row, over, "qabf"), "04_tlcolor")


def _after_the_network() -> Iterator[Lesson]:
    for idea, name, after, before, quantity, unit, chapter in (
        ("smooth the border", "gacn_boundary", "final", "initial", "qg near", "Q_g near borders", "07_gacn"),
        ("cancel small regions", "icacs18_cleaning", "small cancelled", "pre-decision", "psnr", "PSNR, dB", "05_icacs18"),
        ("filter the map by the picture", "cnnfuse_focus", "filtered", "no small regions", "psnr", "PSNR, dB", "06_cnnwt"),
    ):
        yield Lesson(idea, f"{after}, {before}", unit, gains(recorded(name), after, before, [quantity])[quantity], chapter)


def _many_images() -> Iterator[Lesson]:
    many = recorded("gacn_many")
    for after, before in (("calibration", "serial"), ("rank", "calibration"), ("rank", "serial")):
        for quantity, unit in (("psnr", "PSNR, dB"), ("qg", "Q_g")):
            gain = gains(many, after, before, [quantity])[quantity]
            yield Lesson(f"{after} for many images", f"{after}, {before}", unit, gain, "14_many_images")


def _whole_stacks() -> Iterator[Lesson]:
    """Compare Focal with trainings that leave one thing out, on stacks with truth."""
    trained = study_files("focal", "scores", "changed")
    ideas = {
        "compare all frames in the network": "frames are not compared",
        "faults of a camera in training": "no faults",
        "gradients in the loss": "no edges",
        "depth in the loss": "no depth",
    }
    for idea, without in ideas.items():
        _, gain = paired_by_seed(trained[without], trained[""], on_stacks("psnr"))
        yield Lesson(idea, "with, without", "PSNR, dB", gain, "11_lessons")
