"""``mffrepro book``: run the chapters that changed and render the book."""

from typing import Annotated

import typer

from mffrepro.cli.terminal import say


def book(
    profile: Annotated[str, typer.Option(help="quick (minutes on a CPU) or full (the published book).")] = "quick",
    only: Annotated[str | None, typer.Option(help="Run just this chapter, such as 07_gacn; nothing is rendered.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Run chapters that have not changed, too.")] = False,
) -> None:
    """Build the book: run the chapters that changed, refuse what is stale or broken, render the rest.

    Example: mffrepro book --profile quick --only 07_gacn
    """
    from mffrepro.book import BookError, build

    try:
        build(profile=profile, only=only, rebuild="yes" if rebuild else "no")
    except BookError as error:  # work that failed, unlike a misspelt chapter
        say(str(error))
        raise typer.Exit(1) from None
