"""Read the project's pages: their links, headings, code blocks and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ELSEWHERE = frozenset({".git", ".venv", ".tools", "build", "dist", "node_modules", "shared"})
_FENCE = re.compile(r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<title>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. *name* is the path in its first line, if that is a comment with one."""

    language: str
    text: str

    @property
    def name(self) -> str:
        """The file that the block shows, from a first line like `# catalog/platform.yml`."""
        match = re.match(r"# ([\w./-]+\.(?:yml|py))\n", self.text)
        return match[1] if match else ""


def pages() -> tuple[Path, ...]:
    """Return every Markdown page of the project, sorted; tools and environments are not ours."""
    found = (
        path
        for path in ROOT.rglob("*.md")
        if not _ELSEWHERE.intersection(path.relative_to(ROOT).parts)
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )
    return tuple(sorted(found))


def blocks(page: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of *page* in order."""
    text = page.read_text(encoding="utf-8")
    return tuple(Block(match["language"], match["text"]) for match in _FENCE.finditer(text))


def prose(page: Path) -> str:
    """Return the text of *page* without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> tuple[str, ...]:
    """Return the targets of all links and images of *page*, in order."""
    # A code span may hold brackets that are no link, and be the text of a link.
    text = _INLINE.sub("code", prose(page))
    return tuple(match["target"] for match in _LINK.finditer(text))


def anchors(page: Path) -> frozenset[str]:
    """Return the anchors that the headings of *page* give, as GitHub makes them."""
    found = set()
    for match in _HEADING.finditer(prose(page)):
        title = re.sub(r"[^\w\- ]", "", match["title"].lower())
        found.add(title.replace(" ", "-"))
    return frozenset(found)


def commands(page: Path, program: str) -> Iterator[str]:
    """Yield every command line of *program* that *page* shows, in code spans and in blocks."""
    for span in _INLINE.findall(prose(page).replace("\n", " ")):
        if span.startswith(f"{program} "):
            yield span
    for block in blocks(page):
        if block.language in {"", "sh", "console"}:
            for line in block.text.splitlines():
                text = line.strip().removeprefix("$ ")
                if text.startswith(f"{program} "):
                    yield text
