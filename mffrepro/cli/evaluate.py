"""``mffrepro evaluate``: how good is a fused image, or a folder of them?"""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mffrepro.cli.terminal import ARROWS, number, one_line, say, show_table, steps, waiting
from mffrepro.errors import DataError, ImageError, OptionError

Scores = Mapping[str, float]

#: Where the name of a stack goes in the pattern of its result.
PLACE = "{stack}"


def evaluate(
    fused: Annotated[
        Path,
        typer.Option("--fused", "-f", help="The fused image; with --pairs, a folder or a pattern such as out/{stack}_GFF.png."),
    ],
    images: Annotated[list[Path] | None, typer.Argument(help="The photographs that were fused.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="A folder of stacks; each is scored with the image of its name.")] = None,
    metrics: Annotated[str, typer.Option(help="Names with commas, all, or everything (variants too).")] = "all",
    reference: Annotated[Path | None, typer.Option(help="The all-in-focus image; with --pairs, a folder or pattern.")] = None,
    gray: Annotated[str, typer.Option(help="Gray conversion: matlab or skimage.")] = "matlab",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> int:
    """Score fused images by every common fusion metric.

    Example: mffrepro evaluate near.jpg far.jpg -f fused.png --metrics qabf,qg,mi
    """
    if as_json and as_csv:
        raise OptionError("--json and --csv exclude each other; give one")
    if bool(images) == bool(pairs):
        raise OptionError("give either the images that were fused or --pairs with a folder of stacks")
    wanted = split_metrics(metrics)
    _check_needs(wanted, reference)
    if pairs is None:
        scores = _score(images, fused, wanted, reference, gray)
        (_print_json if as_json else _print_csv if as_csv else _print_scores)(scores)
        return 0
    rows, failed = _score_folder(pairs, fused, wanted, reference, gray)
    (_print_rows_json if as_json else _print_rows_csv if as_csv else _print_rows)(rows, mean(rows))
    if failed:
        say(f"{len(failed)} of {len(rows) + len(failed)} stacks have no scores: {', '.join(failed)}")
    return 1 if failed else 0


def split_metrics(text: str) -> str | list[str]:
    """Return ``"all"`` and ``"everything"`` as they are, else names between commas.

    Raises:
        OptionError: No name, or an unknown one.
    """
    from mffrepro.metrics import get

    if text in ("all", "everything"):
        return text
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise OptionError("--metrics names no metric; give names with commas, all, or everything")
    return [get(name).name for name in names]


def _check_needs(metrics: str | list[str], reference: Path | None) -> None:
    """Refuse metrics of what was not given, or what no file holds."""
    from mffrepro.metrics import get

    for name in metrics if isinstance(metrics, list) else ():
        match get(name).needs:
            case "reference" if reference is None:
                raise OptionError(f"the metric {name!r} needs --reference; give it or leave the metric out")
            case "decision":
                raise OptionError(
                    f"the metric {name!r} compares decision maps, not image files; use mff.evaluate or mffrepro benchmark"
                )


def mean(rows: Mapping[str, Scores]) -> dict[str, float]:
    """Mean of each metric over the stacks that have a value, NaN where none has."""
    means = {}
    for name in columns(rows):
        values = [row[name] for row in rows.values() if not math.isnan(row.get(name, math.nan))]
        means[name] = math.fsum(values) / len(values) if values else math.nan
    return means


def columns(rows: Mapping[str, Scores]) -> list[str]:
    """List every metric that a row has, in the order of first appearance.

    What applies differs from stack to stack.
    """
    return list(dict.fromkeys(name for row in rows.values() for name in row))


# ------------------------------------------------------------------------------------------------ scoring


def _score(images: list[Path], fused: Path, metrics: str | list[str], reference: Path | None, gray: str) -> dict[str, float]:
    from mffrepro.metrics import evaluate as score

    with waiting(f"scoring {fused.name}"):
        return score(images, fused, metrics, reference, gray=gray)


def _score_folder(
    pairs: Path, fused: Path, metrics: str | list[str], reference: Path | None, gray: str
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Score each stack of a folder; returns the scores, and the names of stacks with a file that cannot be used."""
    from mffrepro.data import load
    from mffrepro.metrics import evaluate as score

    stacks = load("folder", root=pairs)
    results = _match(fused, stacks.names, "fused images")
    references = dict.fromkeys(stacks.names) if reference is None else _match(reference, stacks.names, "references")
    rows, failed = {}, []
    for name in steps(stacks.names, "scoring", "stack"):
        try:
            rows[name] = score(stacks[name], results[name], metrics, references[name], gray=gray)
        except ImageError as error:
            say(f"{name}: {error}")
            failed.append(name)
    return rows, failed


def _match(place: Path, names: tuple[str, ...], what: str) -> dict[str, Path]:
    """Find the image of each stack: by a pattern, or by its name in a folder."""
    from mffrepro.data.folder import list_images

    if PLACE in str(place):
        found = {name: Path(str(place).replace(PLACE, name)) for name in names}
        if not any(path.exists() for path in found.values()):
            raise DataError(f"{place} matches no file, such as {found[names[0]]}; correct the pattern")
        return found
    if not place.is_dir():
        raise DataError(f"{place} is not a folder; with --pairs, give the folder of the {what}, or a pattern with {PLACE}")
    found = {path.stem: path for path in list_images(place)}
    if not found.keys() & set(names):
        raise DataError(
            f"{place} holds no image of a stack, such as {names[0]}.png; name them so, or give a pattern with {PLACE}"
        )
    return {name: found.get(name, place / f"{name}.png") for name in names}


# ----------------------------------------------------------------------------------------------- printing


def head(metric: str) -> str:
    """Name and direction of a metric."""
    from mffrepro.metrics import get

    return f"{metric} {ARROWS[get(metric).better]}".rstrip()


def _print_scores(scores: Scores) -> None:
    from mffrepro.metrics import get

    rows = [(name, ARROWS[get(name).better], number(value), get(name).summary) for name, value in scores.items()]
    show_table(("metric", "", "value", "what it says"), rows)


def _print_rows(rows: Mapping[str, Scores], means: Scores) -> None:
    names = columns(rows)
    cells = [
        (one_line(stack), *(number(row.get(name, math.nan)) for name in names)) for stack, row in {**rows, "mean": means}.items()
    ]
    show_table(("stack", *map(head, names)), cells, numbers=1)


def _print_json(scores: Scores) -> None:
    print(json.dumps(_without_nan(scores), indent=1))


def _print_rows_json(rows: Mapping[str, Scores], means: Scores) -> None:
    print(json.dumps({"stacks": {name: _without_nan(row) for name, row in rows.items()}, "mean": _without_nan(means)}, indent=1))


def _without_nan(scores: Scores) -> dict[str, float | None]:
    """Replace what JSON lacks: NaN becomes null, infinity (psnr of equal images) a string."""
    return {name: None if math.isnan(v) else v if math.isfinite(v) else str(v) for name, v in scores.items()}


def _print_csv(scores: Scores) -> None:
    _write_csv([("metric", "value"), *scores.items()])


def _print_rows_csv(rows: Mapping[str, Scores], means: Scores) -> None:
    names = columns(rows)
    lines = [(stack, *(row.get(name, math.nan) for name in names)) for stack, row in {**rows, "mean": means}.items()]
    _write_csv([("stack", *names), *lines])


def _write_csv(rows: list[tuple]) -> None:
    import csv

    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
