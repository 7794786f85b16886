"""List methods, metrics and data sets from their cards: ``mffrepro list``."""

from typing import Annotated

import typer

from mffrepro.cli.terminal import ARROWS, show_table

app = typer.Typer(invoke_without_command=True)


@app.callback()
def start(context: typer.Context) -> None:
    """List methods, metrics or data sets.

    Example: mffrepro list metrics
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def methods(name: Annotated[str | None, typer.Argument(help="Show the options of this method.")] = None) -> None:
    """List the fusion methods, or the options of one.

    Example: mffrepro list methods gacn
    """
    from mffrepro.methods import CARDS, parse

    if name is not None:
        card, _, variant = parse(name)
        _show_options(card, variant)
        return
    rows = [
        (card.name, card.title, card.kind, card.colour, "yes" if card.has_decision else "", ", ".join(card.weights), card.chapter)
        for card in CARDS.values()
    ]
    show_table(("name", "method", "kind", "colour by", "decision map", "weights", "chapter"), rows)
    print("mffrepro list methods NAME shows the options of one.")


def _show_options(card, variant: str = "") -> None:
    from mffrepro.methods import COMMON

    choices = {"weights": (*card.weights, *card.extra_weights), "strategy": card.strategies}
    defaults = COMMON | ({"strategy": card.strategies[0]} if card.strategies else {})
    rows = [(name, repr(defaults[name]), " | ".join(map(repr, known))) for name, known in choices.items() if known]
    own = {name: parameter for name, parameter in card.options().items() if name not in choices}
    changed = card.variants.get(variant, {})
    rows += [
        (name, repr(changed.get(name, parameter.default)), _values(card.name, name, parameter.annotation))
        for name, parameter in own.items()
    ]
    print(f"{card.name}: {card.title}, {card.kind}, for images from {card.min_side}x{card.min_side} pixels")
    print(f"about {card.seconds:g} s for a colour pair of 520x520 on two cores")
    print(_memory(*card.memory))
    most, whole = card.whole
    if most:
        print(f"images of up to {most / 1e6:.0f} megapixels are processed whole and take {whole:.0f} MB a megapixel")
    print((card.function().__doc__ or "").partition("\n")[0])
    by = " with the default strategy" if len(card.strategies) > 1 else ""
    print(f"The order of more than two images {'changes the result' if card.order_matters else 'does not matter'}{by}.")
    for name, options in card.variants.items():
        print(f"{card.name}.{name} has {', '.join(f'{option} {value!r}' for option, value in options.items())}")
    if rows:
        show_table(("option", "default", "values"), rows)


def _memory(fixed: float, each: float) -> str:
    """Say how much memory a large colour stack takes at its peak."""
    text = f"a large colour stack takes {fixed:.0f} MB of memory a megapixel"
    return text + (
        f", and {each:.0f} MB a megapixel and image: it holds all images at once (see fuse --slabs)"
        if each
        else ", whatever the number of images"
    )


def _values(method: str, name: str, annotation: object) -> str:
    """Write the kind of an option, and its range if it has one."""
    from mffrepro.option_ranges import range_of

    ends = range_of(method, name)
    return _kind(annotation) + (f", {ends[0]:g} to {ends[1]:g}" if ends else "")


def _kind(annotation: object) -> str:
    """Write an annotation as people do: ``int``, ``'addition' | 'l1'``."""
    from typing import Literal, get_args, get_origin

    if get_origin(annotation) is Literal:
        return " | ".join(map(repr, get_args(annotation)))
    if get_args(annotation) and get_origin(annotation) is not None:
        return " | ".join(map(_kind, get_args(annotation)))
    return "None" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))


@app.command()
def metrics() -> None:
    """List the quality metrics; a name with a dot is a variant.

    Example: mffrepro list metrics
    """
    from mffrepro.metrics import CARDS

    rows = [
        (card.name, ARROWS[card.better], _range(card.low, card.high), card.needs, card.source, card.summary) for card in CARDS
    ]
    show_table(("name", "better", "range", "needs", "numbers of", "what it says"), rows)


def _range(low: float | None, high: float | None) -> str:
    ends = ["" if end is None else f"{end:.4g}" for end in (low, high)]
    return " .. ".join(ends) if any(ends) else ""


@app.command()
def datasets() -> None:
    """List the data sets, and which can be read without a network.

    Example: mffrepro list datasets
    """
    from mffrepro.data import cards

    rows = [
        (card.name, card.kind, str(card.stacks or ""), "yes" if card.available else "no", card.reason, card.title)
        for card in cards()
    ]
    show_table(("name", "kind", "stacks", "here", "how", "what"), rows)
