"""The command line: ``mffrepro fuse | align | evaluate | benchmark | train | data | export | list | book``.

Each command is a thin layer over the Python function of the same name, in a file of its own; what is heavy is imported when the
command runs. Exit code 0: done; 1: the work failed; 2: the input or the arguments cannot be used as given; 130: control-C.
"""

import logging
import os
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mffrepro.cli import align, benchmark, book, data, evaluate, export, fuse, listing, train
from mffrepro.cli.control_c import STOPPED, notice_control_c
from mffrepro.cli.terminal import say
from mffrepro.errors import MffError, first_line

#: Typer's own copy of Click is the base of its errors; Click itself may be another version or absent.
UsageError = typer.BadParameter.__base__

#: Packages that only some commands need -> the extra that brings them.
EXTRAS = {
    "accelerate": "train", "distributed": "distributed", "dask": "distributed",
    "jupytext": "book", "papermill": "book", "nbformat": "book", "yaml": "book",
    "onnx": "export", "onnxscript": "export",
}  # fmt: skip

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what Pillow logs of damaged files


class _Commands(TyperGroup):
    """Run the commands; a file that ends too early must not pass for the end of what is typed, as it does in Typer."""

    def invoke(self, ctx: typer.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise OSError(f"a file ends too early ({first_line(error)})") from error


app = typer.Typer(
    name="mffrepro",
    cls=_Commands,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("fuse")(fuse.fuse)
app.command("align")(align.align)
app.command("evaluate")(evaluate.evaluate)
app.command("benchmark")(benchmark.benchmark)
app.add_typer(train.app, name="train")
app.add_typer(data.app, name="data")
app.command("export")(export.export)
app.add_typer(listing.app, name="list")
app.command("book")(book.book)


def _print_version(wanted: bool) -> None:
    if wanted:
        from mffrepro import __version__

        print(f"mffrepro {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Fuse photographs, measure results, compare methods, build the book.

    Example: mffrepro fuse near.jpg far.jpg -o fused.png
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Whatever goes wrong is one sentence on stderr.

    Args:
        arguments: Without the name of the program; those of this process by default.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an arrow that the encoding of a pipe lacks must not end the program
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings(), notice_control_c() as pressed:
        warnings.showwarning = _say_warning
        try:
            code = app(arguments, prog_name="mffrepro", standalone_mode=False)
        except BaseException as error:
            code = STOPPED if pressed.is_set() else _explain(error)
    if code == STOPPED:
        say("stopped")
    return code if isinstance(code, int) else 0


def program() -> None:
    """Run the command line, and end the process with its exit code."""
    code = main()
    if code == STOPPED:  # Python itself crashes when it tidies up after an extension module whose import was cut off
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _explain(error: BaseException) -> int:
    """Say in one sentence what went wrong, and choose the exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return STOPPED
    if isinstance(error, UsageError):
        say(_usage(error))
        return 2
    if isinstance(error, MffError):
        say(str(error))
        return 2
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        say(f"this command needs the package {error.name}; install it with: pip install 'mffrepro[{EXTRAS[error.name]}]'")
        return 2
    if isinstance(error, ModuleNotFoundError) or not isinstance(error, Exception):
        raise error
    if os.environ.get("MFFREPRO_DEBUG"):
        traceback.print_exc()
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):  # a path that nobody looked at before it was used
        say(f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}); check the path and your rights to it")
        return 2
    say(_failure(error))
    return 1


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = " ".join(context.command_path.split()) if context else "mffrepro"
    return f"{error.format_message().rstrip('.')}; see {command} --help"


def _failure(error: Exception) -> str:
    """Describe an unforeseen error in one line."""
    if isinstance(error, MemoryError):
        return "not enough memory; use smaller or fewer images"
    return f"{type(error).__name__}: {str(error).strip() or 'no message'}; set MFFREPRO_DEBUG=1 to see where"


def _say_warning(message: Warning | str, *_: object) -> None:
    say(f"note: {message}")
