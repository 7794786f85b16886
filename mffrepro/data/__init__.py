"""Data sets of multi-focus stacks, photographs with label maps, and published weight files.

``load`` gives stacks to fuse: ``"embedded"`` is made on the spot and needs no network, ``"folder"`` reads the reader's own
photographs, and the others are described by manifests, fetched once and verified. `load_regions` gives the photographs and
masks that the networks are trained on.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from mffrepro.data.checkpoint import read_checkpoint
from mffrepro.data.dataset import Dataset, DatasetCard
from mffrepro.data.embedded import embedded_stacks
from mffrepro.data.fetch import fetch as fetch_file  # under its own name it would hide the module
from mffrepro.data.fetch import fetch_all, is_at_hand, verify
from mffrepro.data.folder import folder_stacks
from mffrepro.data.manifests import Entry, Manifest, manifest, manifest_names
from mffrepro.data.regions import LabelledImage, draw_mask, load_regions
from mffrepro.errors import DataError, OptionError, unknown
from mffrepro.images import FocusStack, as_stack

__all__ = [
    "Dataset", "DatasetCard", "LabelledImage", "cards", "list_datasets", "dictionary_file", "draw_mask", "fetch_all", "load",
    "load_regions", "verify", "weight_arrays", "weight_file",
]  # fmt: skip

#: Data sets that are made, not fetched: their options are the keywords of these functions.
MADE = {"embedded": embedded_stacks, "folder": folder_stacks}


def load(name: str, **options) -> Dataset:
    """Load a data set of focus stacks, each read when it is asked for.

    Args:
        name: ``"embedded"``, ``"folder"``, or a manifest that holds stacks, such as ``"lytro"``, ``"mffw"`` or ``"pcb"``;
            `list_datasets` lists them all.
        **options: ``embedded`` takes kind, levels, size, slices; ``folder`` takes root; the others take none.

    Raises:
        OptionError: An unknown name or option, with a suggestion.
        DataError: A folder that holds no stacks. Files are fetched only when a stack is asked for, and fail there.

    Example:
        >>> data = load("embedded", kind="composite", levels=[3])
        >>> data.names[0], data["astronaut_blur3"].images.shape
        ('astronaut_blur3', (2, 512, 512, 3))
    """
    described = manifest(name) if name in manifest_names() else None
    if described and described.kind == "regions":
        raise OptionError(f"{name} holds photographs with label maps, not stacks; read it with load_regions({name!r})")
    if name not in MADE and (described is None or described.kind != "stacks"):
        raise unknown("data set", name, [card.name for card in cards() if card.kind == "stacks"], "mffrepro list datasets")
    _check_options(name, options)
    return Dataset(name, MADE[name](**options) if described is None else _manifest_stacks(described))


def _check_options(name: str, options: Mapping[str, object]) -> None:
    known = inspect.signature(MADE[name]).parameters if name in MADE else {}
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise OptionError(f"{name} needs {option}=; give it")


def _manifest_stacks(described: Manifest) -> Mapping[str, Callable[[], FocusStack]]:
    groups: dict[str, list[Entry]] = {}
    for entry in described.files:
        groups.setdefault(entry.stack, []).append(entry)
    return {name: partial(_read_stack, name, entries) for name, entries in groups.items()}


def _read_stack(name: str, entries: list[Entry]) -> FocusStack:
    return as_stack([fetch_file(entry) for entry in entries], name)


def list_datasets():
    """List all data sets in a pandas table: what they hold, and what is available."""
    from dataclasses import asdict

    import pandas as pd

    return pd.DataFrame([asdict(card) for card in cards()]).set_index("name")


def cards() -> tuple[DatasetCard, ...]:
    """Describe every data set without reading any.

    The made ones come first, then those of the manifests by name.
    """
    described = (manifest(name) for name in manifest_names())
    return (
        _made_card(
            "embedded",
            "Stacks made from the photographs of scikit-image",
            len(embedded_stacks()),
            "public domain or CC0; motorcycle: Middlebury 2014",
            True,
        ),
        _made_card("folder", "Your own photographs", 0, "yours", False),
        *(_manifest_card(one) for one in described if one.kind != "files"),
    )


def _made_card(name: str, title: str, stacks: int, licence: str, has_reference: bool) -> DatasetCard:
    citation = "S. van der Walt et al. scikit-image: image processing in Python. PeerJ 2:e453, 2014. doi:10.7717/peerj.453"
    return DatasetCard(
        name=name, kind="stacks", title=title, stacks=stacks, bytes=0, licence=licence, available=True,
        citation=citation if name == "embedded" else "", has_reference=has_reference,
        reason="made on the spot" if name == "embedded" else "give root=",
    )  # fmt: skip


def _manifest_card(described: Manifest) -> DatasetCard:
    try:
        available = all(is_at_hand(entry) for entry in described.files)
        reason = (
            "in the cache or the mirror"
            if available
            else f"run `mffrepro data fetch {described.name}`" + " or give root=" * (described.name in ("voc2012", "coco2017"))
        )
    except DataError as error:  # a mirror that cannot be read is a reason, not a failure of the list
        available, reason = False, str(error)
    return DatasetCard(
        name=described.name, kind=described.kind, title=described.title, stacks=described.stacks, bytes=described.bytes,
        licence=described.licence, citation=described.citation, has_reference=False, available=available, reason=reason,
    )  # fmt: skip


def weight_file(name: str) -> Path:
    """Return the path of a published weight file, fetched and verified first.

    Names are those of the manifest, such as ``"gacn.published"``.

    Raises:
        OptionError: The manifest ``weights`` has no such name.
        DataError: It cannot be had; the sentence says why and what to do.
    """
    return fetch_file(manifest("networks").entry(name))


def weight_arrays(name: str) -> dict[str, np.ndarray]:
    """Read weights published as a TensorFlow checkpoint, by the authors' names.

    Names are those of the manifest, such as ``"u2fusion.published"``.

    Raises:
        OptionError, DataError: As `weight_file`, for ``NAME.index`` and ``NAME.data``.
    """
    return read_checkpoint(weight_file(f"{name}.index"), weight_file(f"{name}.data"))


def dictionary_file(name: str) -> Path:
    """Return the path of a learned dictionary, such as ``"sr"`` or ``"asr.0"``.

    The others are ``"asr.1"`` to ``"asr.6"`` and ``"csr"``; fetched as by `weight_file`.
    """
    return fetch_file(manifest("dictionaries").entry(name))
