"""
The base image of our Dockerfile, made from the Python that runs the tests: no registry is asked.

It has the interpreter, its standard library, the shared libraries of both, busybox for a shell, and what
the project's own requirements name, with pip and setuptools, so that `pip install` of the checkout finds
all it needs. It does not have the project: putting that in is the Dockerfile's business. What the real
`python:*-slim` has beyond this, nothing here asks for; its version may be another one.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement

from tests.live.servers import need

PREFIX = "usr/local"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARY = f"{PREFIX}/lib/{_VERSION}"
_APPLETS = ("sh", "mkdir", "chown", "chmod", "cat", "ls", "rm", "touch", "id")
_TOOLS = ("pip", "setuptools")
# Of the standard library: tests, and what wants a screen; half of its size.
_LEFT_OUT = frozenset(("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pydoc_data", "distutils", "site-packages", "dist-packages"))  # fmt: skip
_NEEDLESS = re.compile(r"_tkinter|[.]a$|[.]opt-[12][.]pyc$")
_LINKED = re.compile(r"(\S+) => (/\S+)|^\s*(/\S+)", re.MULTILINE)
_PIP = f"""#!/{PREFIX}/bin/python
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""
# As the image has it; and pip takes what is installed, for nothing else can be had.
CHANGES = (
    f"ENV PATH=/{PREFIX}/bin:/bin",
    "ENV PIP_NO_INDEX=1 PIP_NO_BUILD_ISOLATION=0 PIP_DISABLE_PIP_VERSION_CHECK=1",
    'CMD ["python"]',
)


def base_image() -> bytes:
    """Return the files of the image as a tar archive."""
    files = dict(_files())
    files |= _libraries(files.values())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        # Docker gives folders that the archive does not name to root alone.
        folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
        for name in sorted(folders):
            _add_folder(tar, name, 0o755)
        _add_folder(tar, "tmp", 0o1777)
        for name, path in sorted(files.items()):
            tar.add(path, name, recursive=False, filter=_of_root)
        _add_links(tar)
        _add_text(tar, f"{PREFIX}/bin/pip", _PIP)
    return archive.getvalue()


def _files() -> Iterator[tuple[str, Path]]:
    """Yield name in the image and path here, of all but the shared libraries."""
    yield f"{PREFIX}/bin/{_VERSION}", Path(sys.executable).resolve()
    yield "bin/busybox", need("busybox").resolve()
    library = Path(sysconfig.get_path("stdlib"))
    for path in library.rglob("*"):
        inside = path.relative_to(library)
        if (
            path.is_file()
            and not _NEEDLESS.search(path.name)
            and _LEFT_OUT.isdisjoint(inside.parts)
        ):
            yield f"{_LIBRARY}/{inside}", path
    for distribution in _needed():
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and path.is_file():
                yield f"{_LIBRARY}/site-packages/{file}", path


def _needed() -> Iterable[metadata.Distribution]:
    """Return the installed distributions that the project needs to be installed and to run."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [*_TOOLS, *_required("tierwatch")]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = metadata.distribution(name)
            waiting += _required(name)
    return found.values()


def _required(name: str) -> Iterator[str]:
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement.name.lower()


def _libraries(paths: Iterable[Path]) -> dict[str, Path]:
    """Return the shared libraries that the programs and modules among *paths* are linked with."""
    linked = [str(path) for path in paths if path.suffix == ".so" or path.name == _VERSION]
    told = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False).stdout
    found: dict[str, Path] = {}
    for name, where, loader in _LINKED.findall(told):
        if loader and not loader.endswith(":"):
            found[loader.lstrip("/")] = Path(loader)
        elif where:
            found[f"lib/{name.rpartition('/')[2]}"] = Path(where)
    ours = {path.name for path in paths}  # a wheel brings some of its libraries along
    return {name: path for name, path in found.items() if path.name not in ours}


def _add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    folder = tarfile.TarInfo(name)
    folder.type, folder.mode = tarfile.DIRTYPE, mode
    tar.addfile(folder)


def _add_links(tar: tarfile.TarFile) -> None:
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    links |= {f"{PREFIX}/bin/{name}": _VERSION for name in ("python", "python3")}
    for name, target in links.items():
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o755
    tar.addfile(entry, io.BytesIO(data))


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode |= 0o444
    return entry
