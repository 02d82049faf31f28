"""Builds of the static files: each in a folder named by its hash, which is also part of its URL.

So files are cached for ever, never change while a process serves them, and are found over an update, when
pages of the former version still ask for theirs: the build before the last is kept.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from functools import cache
from pathlib import Path
from time import time

import allauth
import django

from chatsite.environment import BASE_DIR

MARKER = ".collected"
"""File in a build's folder: it holds all of the build. Its time is that of the build's last start."""

BUILD_NAME = re.compile(r"[0-9a-f]{12}")

KEPT_BUILDS = 2
"""The one that is served, and the one before it."""

ABANDONED_S = 3600
"""After which a build that is not finished is somebody's who was interrupted."""


@cache
def build_hash() -> str:
    """Twelve hex digits over the names and contents of static/, and the versions of what adds files to it."""
    digest = hashlib.sha256(f"{django.__version__} {allauth.__version__}".encode())
    root = BASE_DIR / "static"
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def is_collected(build: Path) -> bool:
    """Whether this folder holds a whole build."""
    return (build / MARKER).is_file()


def publish_build(making: Path, build: Path) -> None:
    """Put a folder with a build's files in its place, whole or not at all, and note that it is in use.

    Of processes that collect the same build at once, the first one's counts.
    """
    (making / MARKER).touch()
    if build.exists() and not is_collected(build):
        shutil.rmtree(build)
    try:
        making.rename(build)
    except OSError:
        if not is_collected(build):
            raise
        shutil.rmtree(making)


def note_start(build: Path) -> None:
    """A process starts with this build: it is the newest one now."""
    os.utime(build / MARKER)


def remove_old_builds(folder: Path) -> None:
    """Remove all but the newest builds, and what lies here beside builds once there are so many.

    Before builds had folders, files lay here themselves, and a process of that version may still serve them.
    """
    builds = [path for path in folder.iterdir() if BUILD_NAME.fullmatch(path.name) and is_collected(path)]
    builds.sort(key=lambda path: (path / MARKER).stat().st_mtime, reverse=True)
    if len(builds) < KEPT_BUILDS:
        return
    for path in folder.iterdir():
        if path in builds[:KEPT_BUILDS] or _is_in_the_making(path):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def folder_in_the_making(build: Path) -> Path:
    """Where this process makes a build."""
    return build.with_name(f".{build.name}-{os.getpid()}")


def _is_in_the_making(path: Path) -> bool:
    return path.name.startswith(".") and path.is_dir() and time() - path.stat().st_mtime < ABANDONED_S
