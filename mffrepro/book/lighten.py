"""Take out of built pages what they load and do not use: megabytes of icons, of formulas where there are none, of scripts.

The theme brings a script with two thousand icons. A page shows twenty, which are written into it instead. MathJax stays on pages
with formulas, and each script of the book's own on pages that have what it works on.
"""

import html
import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from mffrepro.book.layout import HOME, BookError
from mffrepro.images import write_atomically

ICONS = Path("_static/scripts/fontawesome.js")
ICON = re.compile(r'<(?P<tag>i|span)\b(?P<attributes>[^>]*\bclass="(?P<classes>[^"]*\bfa-[^"]*)"[^>]*)>\s*</(?P=tag)>')
#: Classes of icons that name no icon.
MODIFIERS = ("fa-solid", "fa-regular", "fa-brands", "fa-lg", "fa-fw")
#: One icon in the theme's script: width, height, other names, code, path.
DRAWING = r'[{{,]"?{name}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]'
SCRIPT = re.compile(r'\s*<script[^>]*\ssrc="[^"]*?(?P<file>[\w.-]+\.js)(?:\?[^"]*)?"[^>]*>\s*</script>')
#: Constants of a service that runs code in the page, which this book does not use; the theme writes them twice.
THEBE = re.compile(r"\s*<script>\s*const THEBE_JS_URL[^<]*</script>")
PRELOAD = re.compile(r'\s*<link rel="preload" as="script"[^>]*fontawesome[^>]*>')
#: Script -> what a page has on which it works.
USED_BY: Mapping[str, str] = {
    "fontawesome.js": "no page",
    "tex-chtml.js": 'class="math',
    "viewer.js": 'class="mff-gallery"',
    "ledger.js": 'class="mff-ledger"',
    "leaderboard.js": 'class="mff-board"',
    "explore.js": 'class="mff-explore"',
    "search.js": 'id="search-results"',
    "terms.js": "mff-term",
    "tabs.js": "<thead>",
    "take.js": "cell_output",
    "try-it.js": 'class="mff-try"',
    "sphinx-thebe.js": "no page",
    "design-tabs.js": "sd-tab-set",
}
PARAGRAPH = re.compile(r"<p>(?P<text>(?:(?!</p>).)+)</p>", re.DOTALL)


def lighten(folder: Path) -> None:
    """Rewrite the pages below a folder.

    Args:
        folder: Folder of the built book.

    Raises:
        BookError: The theme's script does not hold an icon that a page shows.
    """
    icons = (folder / ICONS).read_text(encoding="utf-8") if (folder / ICONS).exists() else ""
    for path in sorted(folder.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        if "</head>" not in text:
            continue
        light = ICON.sub(partial(_drawn, icons=icons), THEBE.sub("", PRELOAD.sub("", text)))
        light = SCRIPT.sub(lambda found, page=light: found[0] if _used(found["file"], page) else "", light)
        light = light.replace('role="doc-biblioentry"', 'role="listitem"')  # a list may hold nothing else
        light = light.replace("</head>", _described(light, path.relative_to(folder)) + "</head>", 1)
        if light != text:
            write_atomically(path, light.encode())
    (folder / ICONS).unlink(missing_ok=True)


def _used(script: str, page: str) -> bool:
    return script not in USED_BY or USED_BY[script] in page


def _drawn(found: re.Match, icons: str) -> str:
    """Write an icon as the theme's script would: an SVG of the same classes and attributes."""
    classes = found["classes"].split()
    name = next(one for one in classes if one.startswith("fa-") and one not in MODIFIERS)
    width, height, path = _drawing(name.removeprefix("fa-"), icons)
    attributes = found["attributes"].replace(f'class="{found["classes"]}"', f'class="svg-inline--fa {" ".join(classes)}"')
    return (
        f'<svg{attributes} viewBox="0 0 {width} {height}" role="img" aria-hidden="true" xmlns="http://www.w3.org/2000/svg">'
        f'<path fill="currentColor" d="{path}"/></svg>'
    )


@cache
def _drawing(name: str, icons: str) -> tuple[str, str, str]:
    """Find width, height and path of an icon; of those with outlines and filled, which come in this order, the filled one."""
    found = re.findall(DRAWING.format(name=re.escape(name)), icons)
    if not found:
        raise BookError(f"the theme has no icon {name!r}; choose another one")
    return found[-1]


def _described(page: str, path: Path) -> str:
    """Write what search engines and messengers show of a page: its first sentence, and a picture."""
    article = page.partition("<article")[2]
    texts = (" ".join(html.unescape(re.sub(r"<[^>]+>", "", one["text"])).split()) for one in PARAGRAPH.finditer(article))
    first = next((text for text in texts if len(text) > 60), "")
    title = html.escape(re.sub(r"\s+", " ", re.search(r"<title>(.*?)</title>", page, re.DOTALL)[1]).strip(), quote=True)
    sentence = html.escape(first if len(first) <= 200 else first[:199].rpartition(" ")[0] + "…", quote=True)
    facts = {
        'name="description"': sentence,
        'property="og:title"': title,
        'property="og:description"': sentence,
        'property="og:url"': f"{HOME}/{path.as_posix()}",
        'property="og:image"': f"{HOME}/_static/hero.webp",
    }
    return "".join(f'<meta {kind} content="{value}"/>\n' for kind, value in facts.items() if value)
