"""Links of all pages: every file and every heading that they name is there."""

from __future__ import annotations

from pathlib import Path

from tests.docs.markdown import ROOT, anchors, links, pages


def broken(page: Path) -> list[str]:
    """Return the targets of *page* that lead to no file or to no heading, in order."""
    found = []
    for target in links(page):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or (anchor and anchor not in anchors(aim)):
            found.append(target)
    return found


def test_links_resolve() -> None:
    """No link of any page leads to a file or heading that is not there."""
    found = {str(page.relative_to(ROOT)): broken(page) for page in pages()}

    assert {page: targets for page, targets in found.items() if targets} == {}
    assert {"README.md", "docs/operator.md", "alerts/runbooks/ServiceDown.md"} <= found.keys()


def test_broken_links_are_seen(tmp_path: Path) -> None:
    """A link to a missing file and one to a missing heading are both reported, a good one is not."""
    page = tmp_path / "page.md"
    page.write_text(
        "# Here and there\n[a](#here-and-there) [b](gone.md) [`c`](page.md#nowhere)\n`[d](code.md)`\n"
    )

    assert broken(page) == ["gone.md", "page.md#nowhere"]
