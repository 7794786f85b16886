"""Ask every address in ``data_manifests`` whether its file is still there and as large as it was; nothing is downloaded.

    python tests/network/check_manifest_urls.py [MANIFEST ...]

Prints one line per fault. Exit code 1 if a file can no longer be had from any of its addresses, or one has another size.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import requests

from mffrepro.data.manifests import Entry, manifest, manifest_names

#: Answers that say nothing about the file: the host is busy or wants fewer questions.
TRY_AGAIN = (429, 500, 502, 503, 504)
SECONDS, TRIES, AT_ONCE = 30, 3, 4


def size_of(url: str) -> int | None:
    """Size of the file at an address in bytes; None where the host does not say.

    Raises:
        requests.RequestException: It is not there, or does not answer.
    """
    for attempt in range(TRIES):
        answer = requests.head(url, headers={"Accept-Encoding": "identity"}, timeout=SECONDS, allow_redirects=True)
        if answer.status_code not in TRY_AGAIN or attempt == TRIES - 1:
            break
    answer.raise_for_status()
    length = answer.headers.get("Content-Length")
    return int(length) if length else _size_by_range(url)


def _size_by_range(url: str) -> int | None:
    """The total that comes with the first byte: some hosts leave the length out of the answer to HEAD."""
    headers = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}
    with requests.get(url, headers=headers, timeout=SECONDS, stream=True) as answer:
        answer.raise_for_status()
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        return int(total) if total.isdigit() else None


def fault(url: str, expected: int | None) -> str:
    """What is wrong with an address; empty if nothing is."""
    try:
        size = size_of(url)
    except requests.RequestException as error:
        return f"{type(error).__name__}: {error}"
    if None not in (size, expected) and size != expected:
        return f"holds {size} bytes, not {expected}"
    return ""


def check(entries: Iterable[Entry]) -> list[str]:
    """One line per file that has another size somewhere, or cannot be had anywhere."""
    entries = list(entries)
    questions = {(url, entry.bytes) for entry in entries for url in entry.urls}  # manifests share files
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(questions, pool.map(lambda question: fault(*question), questions), strict=True))
    lines = defaultdict(list)
    for entry in entries:
        faults = {url: answers[url, entry.bytes] for url in entry.urls}
        wrong = {url: text for url, text in faults.items() if text.startswith("holds")}
        if entry.urls and all(faults.values()):
            wrong = faults
        for url, text in wrong.items():
            lines[url].append(f"{entry.manifest}/{entry.name}: {url} {text}")
    return [line for several in lines.values() for line in several]


def main(names: list[str]) -> int:
    entries = [entry for name in names or manifest_names() for entry in manifest(name).files]
    lines = check(entries)
    print("\n".join(lines) or f"{len(entries)} files are where the manifests say")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
