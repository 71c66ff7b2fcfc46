"""Writing a tree: all of it or nothing, and never anything that is not ours."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from generator import write
from generator.artifacts import Artifact
from generator.errors import WriteError
from generator.write import MANIFEST, Change, plan, write_tree

Tree = Callable[[Path], dict[str, bytes]]
OLD = (Artifact("a/one.yml", "one\n"), Artifact("a/two.yml", "two\n"), Artifact("b/old.yml", "b\n"))
NEW = (Artifact("a/one.yml", "1\n"), Artifact("a/two.yml", "2\n"), Artifact("c/new.yml", "c\n"))
ROOT = Path(__file__).parents[2]
_WRITE = """
import sys
from pathlib import Path
from generator.artifacts import Artifact
from generator.errors import WriteError
from generator.write import write_tree
try:
    write_tree((Artifact("a/one.yml", "1"), Artifact("z.yml", "x" * 9000)), Path(sys.argv[1]))
except WriteError as error:
    print(error)
"""
_LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
"""
UNCHANGED = Change((), (), (), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that holds OLD and one file of somebody else's."""
    out = tmp_path / "out"
    write_tree(OLD, out)
    (out / "theirs.txt").write_text("theirs\n", encoding="utf-8")
    return out


def test_a_new_tree_holds_the_files_and_a_manifest(tmp_path: Path, tree_of: Tree) -> None:
    """Folders are made as needed; besides the files there is the manifest and nothing else."""
    change = write_tree(OLD, tmp_path / "deep" / "out")
    found = tree_of(tmp_path / "deep" / "out")

    assert change == Change(("a/one.yml", "a/two.yml", "b/old.yml"), (), (), ())
    assert set(found) == {MANIFEST, "a", "a/one.yml", "a/two.yml", "b", "b/old.yml"}
    assert found["a/one.yml"] == b"one\n"


def test_a_second_write_adds_changes_and_removes(folder: Path, tree_of: Tree) -> None:
    """Stale files and the folders they leave empty go away; what was never ours stays."""
    change = write_tree(NEW, folder)

    assert change == Change(("c/new.yml",), ("a/one.yml", "a/two.yml"), ("b/old.yml",), ())
    assert {name: text for name, text in tree_of(folder).items() if name != MANIFEST} == {
        "a": b"", "a/one.yml": b"1\n", "a/two.yml": b"2\n", "c": b"", "c/new.yml": b"c\n",
        "theirs.txt": b"theirs\n",
    }  # fmt: skip


def test_the_same_tree_again_touches_no_file(folder: Path) -> None:
    """A run that changes nothing leaves even the times of the files as they were."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    change = write_tree(OLD, folder)

    assert change == UNCHANGED
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_plan_touches_nothing(folder: Path, tree_of: Tree) -> None:
    """`plan` says what a write would do and does none of it."""
    before = tree_of(folder)
    planned = plan(NEW, folder)

    assert tree_of(folder) == before
    assert planned == write_tree(NEW, folder)


def test_hand_edits_are_reported_and_undone(folder: Path) -> None:
    """A file that somebody edited is named, and holds what it should again."""
    (folder / "a" / "one.yml").write_text("mine\n", encoding="utf-8")
    change = write_tree(OLD, folder)

    assert change == Change((), ("a/one.yml",), (), ("a/one.yml",))
    assert (folder / "a" / "one.yml").read_text(encoding="utf-8") == "one\n"


def test_a_deleted_file_comes_back(folder: Path) -> None:
    """A file that somebody deleted is written again, and is no hand edit."""
    (folder / "b" / "old.yml").unlink()
    (folder / "b").rmdir()

    assert write_tree(OLD, folder) == Change(("b/old.yml",), (), (), ())


def test_a_foreign_folder_is_refused(tmp_path: Path, tree_of: Tree) -> None:
    """A folder with files and without our manifest is somebody else's."""
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    before = tree_of(tmp_path)
    with pytest.raises(WriteError) as caught:
        write_tree(OLD, tmp_path)

    assert str(caught.value) == (
        f"{tmp_path}: is not empty and was not written by tierwatch (no {MANIFEST}). "
        "Name a new or empty folder."
    )
    assert tree_of(tmp_path) == before


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", '{"files": 3}', '{"files": ["a"]}', "{}", '{"files": {"a": '],
    ids=repr,
)  # fmt: skip
def test_a_broken_manifest_is_refused(folder: Path, tree_of: Tree, text: str) -> None:
    """A manifest that is none is an error, not an empty manifest: else old files would be foreign."""
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    before = tree_of(folder)
    with pytest.raises(WriteError) as caught:
        write_tree(NEW, folder)

    assert str(caught.value) == (
        f"{folder / MANIFEST}: is not a manifest of tierwatch. Restore it, or name an empty folder."
    )
    assert tree_of(folder) == before


@pytest.mark.parametrize(
    "path", ["../victim", "/etc/hostname", "a/../../victim", "", "."], ids=repr
)
def test_a_manifest_cannot_name_files_outside(tmp_path: Path, folder: Path, path: str) -> None:
    """An entry that leads out of the folder is refused, so that a forged manifest deletes nothing."""
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    forged = {"version": 1, "files": {path: "0" * 64}}
    (folder / MANIFEST).write_text(json.dumps(forged), encoding="utf-8")
    with pytest.raises(WriteError) as caught:
        write_tree(NEW, folder)

    assert str(caught.value) == (
        f"{path!r} leads out of {folder}. Remove the symbolic link or the manifest entry."
    )
    assert victim.read_text(encoding="utf-8") == "precious"


def test_a_linked_folder_cannot_lead_outside(tmp_path: Path, folder: Path, tree_of: Tree) -> None:
    """A symbolic link in place of one of our folders is refused; nothing lands behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "c").symlink_to(outside)
    with pytest.raises(WriteError) as caught:
        write_tree(NEW, folder)

    assert str(caught.value) == (
        f"'c/new.yml' leads out of {folder}. Remove the symbolic link or the manifest entry."
    )
    assert tree_of(outside) == {}


def test_a_linked_file_is_replaced_not_followed(tmp_path: Path, folder: Path) -> None:
    """Where one of our files became a link, the link goes and what it pointed at stays."""
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (folder / "a" / "one.yml").unlink()
    (folder / "a" / "one.yml").symlink_to(victim)
    write_tree(NEW, folder)

    assert victim.read_text(encoding="utf-8") == "precious"
    assert not (folder / "a" / "one.yml").is_symlink()


def test_a_folder_in_the_place_of_a_file_stays(folder: Path, tree_of: Tree) -> None:
    """A folder that somebody made where a file of ours belongs is an error, and stays with its content."""
    (folder / "c" / "new.yml").mkdir(parents=True)
    (folder / "c" / "new.yml" / "letter").write_text("dear", encoding="utf-8")
    before = tree_of(folder)
    with pytest.raises(WriteError):
        write_tree(NEW, folder)

    assert tree_of(folder) == before


@contextmanager
def _failing_moves(
    monkeypatch: pytest.MonkeyPatch, first: int, last: int = 10_000
) -> Iterator[None]:
    """Make the moves of files from the *first* to the *last* fail as a broken disk does."""
    moves = 0
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if first <= moves <= last:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(self))
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        yield


def test_a_move_that_fails_anywhere_puts_the_old_tree_back(
    folder: Path, tree_of: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the moves fails, the old tree is there byte for byte, manifest and all."""
    before = tree_of(folder)
    # Two files changed, one new, the manifest, one removed: five moves.
    for nth in range(1, 6):
        with _failing_moves(monkeypatch, nth, nth), pytest.raises(WriteError) as caught:
            write_tree(NEW, folder)

        assert "input/output error: nothing was changed. Check the folder's owner" in str(
            caught.value
        )
        assert tree_of(folder) == before

    assert write_tree(NEW, folder).removed == ("b/old.yml",)


def test_old_files_that_cannot_be_put_back_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When undoing fails as well, the message says where the old files are, and there they are."""
    with _failing_moves(monkeypatch, 2), pytest.raises(WriteError) as caught:
        write_tree(NEW, folder)
    kept = folder / ".tierwatch-staging" / "old"

    assert f"The old files are in {kept}; generate again once the disk works." in str(caught.value)
    assert (kept / "a" / "one.yml").read_text(encoding="utf-8") == "one\n"
    assert write_tree(NEW, folder).removed == ("b/old.yml",)


def test_without_links_a_failed_move_is_undone_too(
    folder: Path, tree_of: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a filesystem without hard links old files are moved aside, and come back all the same."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    before = tree_of(folder)
    # Each of the three old files that are replaced takes one move more.
    for nth in range(1, 9):
        with _failing_moves(monkeypatch, nth, nth), pytest.raises(WriteError):
            write_tree(NEW, folder)
        assert tree_of(folder) == before

    assert write_tree(NEW, folder).removed == ("b/old.yml",)


def test_a_killed_run_can_be_repeated(folder: Path, tree_of: Tree) -> None:
    """Killed before any of its moves, a run leaves a tree that the next one completes."""
    code = (
        "import os, pathlib\nreal, moves = pathlib.Path.replace, 0\n"
        "def replace(self, target):\n    global moves\n    moves += 1\n"
        "    if moves == int(sys.argv[2]):\n        os.kill(os.getpid(), 9)\n"
        "    return real(self, target)\npathlib.Path.replace = replace\n"
    )
    for nth in range(1, 4):
        write_tree(OLD, folder)
        done = subprocess.run(
            [sys.executable, "-c", _WRITE.replace("\ntry:", f"\n{code}try:"), str(folder), str(nth)],
            cwd=ROOT, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == -9

    subprocess.run([sys.executable, "-c", _WRITE, str(folder)], cwd=ROOT, check=True)
    assert set(tree_of(folder)) == {MANIFEST, "a", "a/one.yml", "theirs.txt", "z.yml"}


def test_a_full_disk_leaves_the_old_tree(
    folder: Path, tree_of: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up at the third file is an error before anything was moved."""
    before = tree_of(folder)
    staged = 0
    real = write._stage

    def stage(path: Path, text: str) -> None:
        nonlocal staged
        staged += 1
        if staged == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, text)

    monkeypatch.setattr(write, "_stage", stage)
    with pytest.raises(WriteError) as caught:
        write_tree(NEW, folder)

    assert str(caught.value).endswith(
        "no space left on device: nothing was changed. "
        "Check the folder's owner, its permissions and the free space."
    )
    assert tree_of(folder) == before


def test_a_really_full_disk_leaves_the_old_tree(folder: Path, tree_of: Tree) -> None:
    """With the kernel refusing more than a few bytes per file, the old tree stays and exit is clean."""
    before = tree_of(folder)
    done = subprocess.run(
        [sys.executable, "-c", _LIMIT + _WRITE, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "file too large: nothing was changed." in done.stdout
    assert tree_of(folder) == before


def test_a_read_only_folder_is_an_error(folder: Path, tree_of: Tree) -> None:
    """Without the right to write, the answer is a sentence and the tree is as it was."""
    before = tree_of(folder)
    folder.chmod(0o555)
    # root may write anywhere, unless it gives that right away.
    lead = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
    try:
        done = subprocess.run(
            [*lead, sys.executable, "-c", _WRITE, str(folder)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        folder.chmod(0o755)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{folder}/.tierwatch-staging: permission denied: nothing was changed. "
        "Check the folder's owner, its permissions and the free space.\n"
    )
    assert tree_of(folder) == before


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """`--out` that names a file is refused, and the file stays."""
    path = tmp_path / "out"
    path.write_text("letter", encoding="utf-8")
    with pytest.raises(WriteError) as caught:
        write_tree(OLD, path)

    assert str(caught.value).startswith(f"{path}: file exists: nothing was changed.")
    assert path.read_text(encoding="utf-8") == "letter"


def test_a_second_writer_is_refused(folder: Path, tree_of: Tree) -> None:
    """While one run holds the folder, another one says so and changes nothing."""
    before = tree_of(folder)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(WriteError) as caught:
            write_tree(NEW, folder)
    finally:
        os.close(handle)

    assert str(caught.value) == (
        f"{folder}: another tierwatch is writing here. Wait for it to end."
    )
    assert tree_of(folder) == before
    assert write_tree(NEW, folder).added == ("c/new.yml",)


def test_what_a_killed_run_left_behind_is_cleared(folder: Path, tree_of: Tree) -> None:
    """Staged files of a run that was killed are gone after the next one."""
    left = folder / ".tierwatch-staging" / "new" / "a"
    left.mkdir(parents=True)
    (left / "one.yml").write_text("half", encoding="utf-8")
    write_tree(OLD, folder)

    assert not (folder / ".tierwatch-staging").exists()
    assert tree_of(folder)["a/one.yml"] == b"one\n"


def test_nothing_beside_the_folder_is_touched(tmp_path: Path, folder: Path, tree_of: Tree) -> None:
    """Neighbours of the output folder are as they were after a write and after a failed one."""
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir()
    (neighbour / "a.txt").write_text("a", encoding="utf-8")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path, neighbour)}
    write_tree(NEW, folder)

    assert tree_of(neighbour) == {"a.txt": b"a"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path, neighbour)} == times
