"""Fuse a stack with any method: check it once, load the network, time the work, and wrap the result.

A method is a function ``fuse(stack, *, ...)``, of a network ``fuse(stack, network, *, ...)``, from a checked stack to the fused
image as floats in [0, 1] and its decision; one that finds depth too returns it third, and may return its confidence fourth.
`mffrepro.methods_table` lists them; to add one, write its file and its row.
"""

import importlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from mffrepro.errors import OptionError, unknown
from mffrepro.fusion.ranges import clamp_to_sources, fuse_alpha
from mffrepro.fusion.slabs import fuse_in_slabs
from mffrepro.images import FocusStack, FusionResult, ImageOrPath, as_stack, from_unit
from mffrepro.images.depth import note_unused_bits, scale_from_white
from mffrepro.methods_table import CARDS, MethodCard
from mffrepro.option_ranges import check_range
from mffrepro.room import check_memory

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

__all__ = ["CARDS", "MethodCard", "check_options", "fuse", "get", "list_methods", "load_network", "parse", "within"]

#: Options that every method accepts at these values, whether it uses them or not.
COMMON = {"weights": "default", "device": "auto", "strategy": "auto"}


def fuse(
    images: FocusStack | Sequence[ImageOrPath],
    method: str = "gacn",
    *,
    weights: str | os.PathLike = "default",
    device: str = "auto",
    strategy: str = "auto",
    clamp: bool = False,
    average_flat: bool = False,
    depth: bool = False,
    white: float | None = None,
    slabs: int | None = None,
    **options: Any,
) -> FusionResult:
    """Fuse photographs with different focus into one that is sharp everywhere.

    Args:
        images: Two or more arrays (H, W) or (H, W, 3), uint8, uint16 or float in [0, 1]; or paths; or the path of one TIFF with
            several slices; or a stack. All of one size, registered; `mff.align` registers them. Whether they are is not checked
            here, since that takes longer than a fast method; `mffrepro.alignment.misalignment` measures it, and the command line
            does so by itself.
        method: A name of `list_methods`; ``"gacn.published"`` is short for ``weights="published"``, and ``"tlcnn.printed"`` for
            the options of the rule that the paper prints.
        weights: For networks: ``"default"`` (shipped), ``"published"`` (the authors', fetched), other names on the method's
            card, ``"random"``, or the path of a ``.safetensors`` file.
        device: For networks: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: How a method that compares two images combines more than two; ``mffrepro list methods NAME`` shows its
            strategies, of which ``"auto"`` is the first.
        clamp: Keep each value of the result between the least and the largest that the sources have at that pixel and channel.
            Transforms overshoot near edges.
        average_flat: Take the mean of the sources where none is sharp and all have the same light: no method is quieter there.
            The sources are in the order of their focus. The decision stays the method's. The command line does so for three
            sources or more; here it is off, since published results are made without it.
        depth: Also find which source is sharpest at each pixel, whatever the method chose; the sources are in the order of their
            focus. See `mffrepro.depth`. A method that finds depth itself, as focal does, returns its own unless this is asked
            for.
        white: Value of white in images of 16 bits or floats, such as 4095 for 12-bit data: networks and some classical methods
            take another decision where images seem dark. The result has the range of the sources.
        slabs: Fuse overlapping slabs of so many consecutive images first, and then their results: for long stacks with methods
            that need the memory of all images at once or that let noise pile up. `mffrepro.fusion.slabs` says how.
        options: The method's own options; ``mffrepro list methods NAME`` shows them.

    Returns:
        ``.image`` in the dtype, shape and range of the inputs, ``.decision`` (N, H, W) or None, ``.seconds``, ``.method``; and
        for `mffrepro.write_image` ``.metadata`` of the first file, ``.alpha`` (H, W) where all sources have one, and ``.white``.
        On request ``.depth`` and ``.confidence``; ``.averaged`` says which share of the pixels `average_flat` changed.

    Raises:
        ImageError: Images cannot be fused; the sentence names which.
            Or the method needs more memory than is free.
        OptionError: There is no such method, weights or option, or an option is out of range.
        DataError: Weights cannot be read or fetched.
    Chapter: 00_quickstart

    Example:
        >>> import numpy as np, mffrepro as mff
        >>> near = np.zeros((32, 32)); near[:, :16] = np.indices((32, 16)).sum(0) % 2
        >>> far = near[:, ::-1].copy()
        >>> mff.fuse([near, far], "average").image.mean()
        np.float64(0.25)
    """
    card, chosen = check_options(method, {"weights": weights, "device": device, "strategy": strategy} | options)
    chroma = card.published_chroma if chosen.get("as_published") else "interpolated"
    stack = as_stack(images, min_side=card.min_side, chroma=chroma, white=white)
    if stack.white is None:
        note_unused_bits(stack.images)
    _check_room(card, stack, chosen["device"] if card.kind == "network" else "cpu", slabs)
    work = _work(card, chosen)
    started = time.perf_counter()
    image, shares, *found = work(stack) if slabs is None else fuse_in_slabs(stack, work, slabs)
    image = from_unit(image, stack.images.dtype)
    if clamp:
        image = clamp_to_sources(image, stack.images)
    averaged = 0.0
    if average_flat:
        from mffrepro.fusion import flat

        image, averaged = flat.average_flat(image, stack.images)
    seconds = time.perf_counter() - started
    alpha = None if stack.alpha is None else fuse_alpha(stack.alpha, shares)
    image = scale_from_white(image, stack.white)
    kept = {"metadata": stack.metadata, "alpha": alpha, "white": stack.white, "averaged": averaged}
    depths = _depth(stack) if depth else dict(zip(("depth", "confidence"), found, strict=False))
    return FusionResult(image, shares, seconds, card.name, **kept, **depths)


def _depth(stack: FocusStack) -> "dict[str, np.ndarray]":
    from mffrepro.fusion.depth import depth

    return depth(stack)._asdict()


def check_room(method: str, stack: FocusStack, *, device: str = "auto", slabs: int | None = None, **_: Any) -> None:
    """Check whether the memory holds a fusion, before other long work.

    Args:
        method: As for `fuse`, like the rest.
        stack: What is going to be fused.
        device: For networks.
        slabs: Images of a slab.

    Raises:
        ImageError: The method needs more memory than is free; the sentence says how much, and what to do.
    """
    _check_room(parse(method)[0], stack, device, slabs)


def _check_room(card: MethodCard, stack: FocusStack, device: str, slabs: int | None) -> None:
    if card.kind == "network" and device != "cpu":
        import torch

        if torch.cuda.is_available():  # it has a memory of its own, and its own ways to go on without it
            return
    check_memory(card, stack, len(stack) if slabs is None else min(slabs, len(stack)))


def _work(card: MethodCard, chosen: dict[str, Any]) -> Callable[[FocusStack], tuple]:
    """Prepare a fusion: load the network that the options name, if any, and leave the work itself to be timed."""
    if card.kind != "network":
        return partial(card.function(), **chosen)
    from mffrepro.models.memory import with_room

    weights, device = chosen.pop("weights"), chosen.pop("device")
    network = _loaded(card.name, weights, device)
    on_cpu = partial(_loaded, card.name, weights, "cpu")
    return lambda stack: with_room(lambda network: card.function()(stack, network, **chosen), network, on_cpu)


def load_network(spec: str = "gacn", *, device: str = "auto") -> "nn.Module":
    """Load the network of a method, ready for inference.

    Later calls with the same arguments return the same network.

    Args:
        spec: Method and weights, such as ``"gacn"``, ``"gacn.published"`` or ``"tlcnn.random"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        OptionError: There is no such method, weights or device, or the method has no network.
        DataError: The weights cannot be read or fetched.
    Chapter: 00_quickstart
    """
    card, chosen = check_options(spec, {"device": device})
    if card.kind != "network":
        raise OptionError(f"{card.name} is a classical method without a network; use a method that has weights")
    return _loaded(card.name, chosen["weights"], chosen["device"])


@lru_cache(maxsize=8)
def _loaded(name: str, weights: str, device: str) -> "nn.Module":
    from mffrepro.models import weights as loading

    return loading.load(importlib.import_module(get(name).module).SOURCE, name, weights, device)


def get(name: str) -> MethodCard:
    """Return the card of a method, or raise OptionError with a suggestion."""
    if name not in CARDS:
        raise unknown("method", name, CARDS, "mffrepro list methods")
    return CARDS[name]


def within(seconds: float) -> list[str]:
    """List the methods that take at most so many seconds by their cards."""
    return [card.name for card in CARDS.values() if card.seconds <= seconds]


def parse(spec: str) -> tuple[MethodCard, str, str]:
    """Split a name into the card, the name of the weights, and the variant.

    ``"tlcolor.seed2.printed"`` has the weights ``"seed2"`` and the variant ``"printed"``; either may be left out.
    """
    name, _, rest = spec.partition(".")
    card = get(name)
    before, _, last = rest.rpartition(".")
    weights, variant = (before, last) if last in card.variants else (rest, "")
    return card, weights or "default", variant


def check_options(spec: str, options: Mapping[str, Any]) -> tuple[MethodCard, dict[str, Any]]:
    """Check a method's name and options before any work.

    Args:
        spec: Method, with weights or a variant: ``"gacn.published"``, ``"tlcnn.printed"``.
        options: What `fuse` was given, with or without weights, device and strategy.

    Returns:
        The card, and the options that the method takes; weights and device too for networks.

    Raises:
        OptionError: There is no such method, option, strategy or weights, and the sentence suggests the nearest; or a number is
            out of range.
    """
    card, named_weights, variant = parse(spec)
    if isinstance(options.get("weights"), os.PathLike):
        options = {**options, "weights": os.fspath(options["weights"])}
    known = card.options()
    chosen = COMMON | {"weights": named_weights} | dict(card.variants.get(variant, {})) | dict(options)
    if chosen["weights"] == "default":
        chosen["weights"] = named_weights
    elif chosen["weights"] != named_weights and spec.startswith(f"{card.name}.{named_weights}"):
        raise OptionError(f"the method {spec} and weights={chosen['weights']!r} disagree; name the weights once")
    for name in chosen.keys() - known.keys() - COMMON.keys():
        raise unknown(f"option of {card.name}", name, known.keys() - COMMON.keys(), "mffrepro list methods")
    for name in chosen.keys() & known.keys():
        check_range(card.name, name, chosen[name], known[name].default)
    _check_weights(card, chosen["weights"])
    chosen["strategy"] = _strategy(card, chosen["strategy"])
    taken = {*known, "weights", "device"} if card.kind == "network" else {*known}
    return card, {name: value for name, value in chosen.items() if name in taken}


def _check_weights(card: MethodCard, weights: str) -> None:
    if card.kind != "network":
        if weights != "default":
            raise OptionError(f"{card.name} takes no weights; leave weights={weights!r} out")
        return
    named = card.weights + card.extra_weights
    if weights not in named and not str(weights).endswith(".safetensors"):
        if str(weights).partition(".")[0] == "published" and "published" not in named:
            raise OptionError(f"the authors of {card.name} publish no weights; use weights='default'")
        if weights in card.variants:
            raise OptionError(f"{weights!r} is a variant of {card.name} and no weights; use the method {card.name}.{weights}")
        kind = "weights or variant" if card.variants else "weights"
        raise unknown(f"{kind} of {card.name}", weights, (*named, *card.variants))


def _strategy(card: MethodCard, strategy: str) -> str:
    if strategy != "auto" and not card.strategies:
        raise OptionError(f"{card.name} takes no strategy; leave strategy={strategy!r} out")
    if strategy != "auto" and strategy not in card.strategies:
        raise unknown(f"strategy of {card.name}", strategy, ("auto", *card.strategies))
    return card.strategies[0] if strategy == "auto" and card.strategies else strategy


def list_methods():
    """List all methods in a pandas table: what they are, need and offer as options."""
    import pandas as pd

    rows = []
    for card in CARDS.values():
        own = ", ".join(f"{n}={p.default!r}" for n, p in card.options().items() if n not in COMMON)
        row = {"name": card.name, "title": card.title, "kind": card.kind, "colour": card.colour}
        row |= {"decision map": card.has_decision, "seconds": card.seconds, "weights": ", ".join(card.weights)}
        row |= {"strategies": ", ".join(card.strategies), "fast": ", ".join(f"{n}={v!r}" for n, v in card.fast.items())}
        row |= {"options": own, "reference": card.bibkey}
        rows.append(row)
    return pd.DataFrame(rows).set_index("name")
