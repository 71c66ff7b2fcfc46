"""
Put a rendered tree on disk: all of it or nothing, and never touch what is not ours.

The output folder carries a manifest of what we wrote. Files are staged beside their places
first (where a full disk or a missing permission shows), then moved in one by one with the old
ones kept aside, so that any error puts the old tree back. What the manifest names and the new
tree lacks goes away; a folder with files but without a manifest is somebody else's.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generator.artifacts import Artifact
from generator.errors import WriteError

MANIFEST = ".tierwatch.json"
_STAGING = ".tierwatch-staging"


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did to the tree, paths sorted. *edited* are ours but were changed by hand."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    edited: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether the tree was already what it should be."""
        return not (self.added or self.changed or self.removed)


def plan(artifacts: Iterable[Artifact], folder: Path) -> Change:
    """
    Return what `write_tree` would do to *folder*, without doing it.

    Raises WriteError for a folder that is not ours, or a manifest that cannot be trusted.
    """
    manifest = _read_manifest(folder)
    wanted = {artifact.path: artifact.text for artifact in artifacts}
    added, changed, edited = [], [], []
    for path, text in wanted.items():
        current = _read(folder / path)
        if current is None:
            added.append(path)
        elif current != text.encode():
            changed.append(path)
    for path, digest in manifest.items():
        current = _read(folder / path)
        if current is not None and _digest(current) != digest:
            edited.append(path)
    removed = [path for path in manifest if path not in wanted and (folder / path).is_file()]
    return Change(*(tuple(sorted(paths)) for paths in (added, changed, removed, edited)))


def write_tree(artifacts: Iterable[Artifact], folder: Path) -> Change:
    """
    Make *folder* hold exactly *artifacts* (and whatever else was never ours).

    Raises WriteError, with the old tree in place, when the folder is foreign or locked or a file
    cannot be written.
    """
    found = tuple(artifacts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            change = plan(found, folder)
            _refuse_escapes((artifact.path for artifact in found), folder)
            _apply(found, change, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteError(
            f"{error.filename or folder}: {reason.lower()}: nothing was changed. "
            "Check the folder's owner, its permissions and the free space."
        ) from error
    return change


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one writer; the lock is on the folder itself and leaves no file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise WriteError(
            f"{folder}: another tierwatch is writing here. Wait for it to end."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


def _apply(artifacts: tuple[Artifact, ...], change: Change, folder: Path) -> None:
    staging = folder / _STAGING
    shutil.rmtree(staging, ignore_errors=True)
    touched = {*change.added, *change.changed}
    texts = {artifact.path: artifact.text for artifact in artifacts}
    manifest = json.dumps(
        {
            "version": 1,
            "files": {path: _digest(text.encode()) for path, text in sorted(texts.items())},
        },
        indent=1,
    )
    if change.empty and _read(folder / MANIFEST) == (manifest + "\n").encode():
        return
    try:
        for path in sorted(touched):
            _stage(staging / "new" / path, texts[path])
        _stage(staging / "new" / MANIFEST, manifest + "\n")
        _swap(folder, staging, (*sorted(touched), MANIFEST), change.removed)
    except WriteError:
        raise  # the old files lie in the staging folder
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(staging, ignore_errors=True)
    _prune(folder, change.removed)


def _stage(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _swap(folder: Path, staging: Path, paths: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Move *paths* in and *removed* out; put everything back if any move is refused."""
    done: list[tuple[str, bool]] = []
    try:
        for path in (*paths, *removed):
            kept = _keep(folder, staging, path, leaves=path in removed)
            done.append((path, kept))
            if path not in removed:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / "new" / path).replace(folder / path)
    except OSError as error:
        try:
            _put_back(folder, staging, done)
        except OSError as second:
            raise WriteError(
                f"{folder}: is half written: {error}, and then {second}. "
                f"The old files are in {staging / 'old'}; generate again once the disk works."
            ) from second
        raise


def _put_back(folder: Path, staging: Path, done: list[tuple[str, bool]]) -> None:
    """Undo the moves in *done* (path, whether an old file was kept) and the folders made for them."""
    for path, kept in reversed(done):
        if kept:
            (staging / "old" / path).replace(folder / path)
        else:
            (folder / path).unlink(missing_ok=True)
    _prune(folder, tuple(path for path, kept in done if not kept))


def _keep(folder: Path, staging: Path, path: str, *, leaves: bool) -> bool:
    """
    Keep the old file of *path* aside; return whether there was one.

    A file that is replaced keeps its place meanwhile (a second link holds it), so that a run that
    is killed leaves no gap, above all not in the place of the manifest.
    """
    old, kept = folder / path, staging / "old" / path
    if not os.path.lexists(old):
        return False
    kept.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not leaves:
            os.link(old, kept, follow_symlinks=False)
            return True
    except OSError:
        pass  # no links on this filesystem (FAT, some network shares): the gap is short
    old.replace(kept)
    return True


def _prune(folder: Path, removed: tuple[str, ...]) -> None:
    """Remove folders that a removed file leaves empty."""
    for path in removed:
        for parent in PurePosixPath(path).parents:
            if parent == PurePosixPath("."):
                break
            try:
                (folder / parent).rmdir()
            except OSError:
                break


def _read_manifest(folder: Path) -> dict[str, str]:
    """Return path -> digest of what we wrote last time; empty for a new or empty folder."""
    text = _read(folder / MANIFEST)
    if text is None:
        if folder.is_dir() and any(entry.name != _STAGING for entry in folder.iterdir()):
            raise WriteError(
                f"{folder}: is not empty and was not written by tierwatch (no {MANIFEST}). "
                "Name a new or empty folder."
            )
        return {}
    try:
        files = json.loads(text)["files"]
        manifest = {str(path): str(digest) for path, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WriteError(
            f"{folder / MANIFEST}: is not a manifest of tierwatch. Restore it, or name an empty folder."
        ) from error
    _refuse_escapes(manifest, folder)
    return manifest


def _refuse_escapes(paths: Iterable[str], folder: Path) -> None:
    root = folder.resolve()
    for path in paths:
        pure = PurePosixPath(path)
        inside = not pure.is_absolute() and ".." not in pure.parts and pure.parts
        if not inside or not (root / pure).parent.resolve().is_relative_to(root):
            raise WriteError(
                f"{path!r} leads out of {folder}. Remove the symbolic link or the manifest entry."
            )


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
