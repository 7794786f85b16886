"""Run the chapters that changed, render the book, and print or pack it: ``mffrepro book``."""

from typing import Annotated

import typer

from mffrepro.cli.terminal import say


def book(
    profile: Annotated[str, typer.Option(help="quick (minutes on a CPU) or full (the published book).")] = "quick",
    only: Annotated[str | None, typer.Option(help="Run just this chapter, such as 07_gacn; nothing is rendered.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Run chapters that have not changed as well.")] = False,
    format: Annotated[
        str, typer.Option(help="html, pdf (one file for paper; needs Chromium) or zip (to read offline).")
    ] = "html",
) -> None:
    """Build the book: run changed chapters, refuse stale or broken pages, render.

    Example: mffrepro book --profile quick --only 07_gacn
    """
    from mffrepro.book import BookError, build

    try:
        build(profile=profile, only=only, rebuild=rebuild, format=format)
    except BookError as error:  # work that failed, unlike a misspelt chapter
        say(str(error))
        raise typer.Exit(1) from None
