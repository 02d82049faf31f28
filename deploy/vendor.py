"""Fetch the browser's third-party files by package name and check them against their manifests.

A manifest (static/vendor/manifest.json, tests/support/vendor/manifest.json) names package, version, licence,
the file inside the package, where it lies here, and the SHA-256 of what is committed. `npm pack` brings the
package from whatever registry npm is set up for; no address is written down. The one change made to a file is
that references to source maps, which are not shipped, are removed.

    python deploy/vendor.py            fetch and check; a file that differs from the manifest is an error
    python deploy/vendor.py --update   fetch and rewrite the checksums, after a version was changed by hand
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = (ROOT / "static/vendor/manifest.json", ROOT / "tests/support/vendor/manifest.json")
SOURCE_MAP = re.compile(rb"\n?(//# sourceMappingURL=.*|/\*# sourceMappingURL=.*?\*/)\s*$")


class Entry(TypedDict):
    """One vendored file. `source` is its path inside the package, `file` its path beside the manifest."""

    name: str
    version: str
    licence: str
    source: str
    file: str
    sha256: str


class VendorError(Exception):
    """A file is not what its manifest says; the message names it and the remedy."""


def pack(name: str, version: str, into: Path) -> tarfile.TarFile:
    """The package as npm delivers it."""
    spec = f"{name}@{version}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(into), spec]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise VendorError(f"npm pack {spec} failed: {done.stderr.strip() or 'no reason given'}")
    return tarfile.open(into / done.stdout.strip().splitlines()[-1])


def extract(package: tarfile.TarFile, entry: Entry) -> bytes:
    """One file of the package, without its reference to a source map."""
    try:
        member = package.extractfile(f"package/{entry['source']}")
    except KeyError:
        member = None
    if member is None:
        raise VendorError(f"{entry['name']} {entry['version']} has no file {entry['source']}")
    return SOURCE_MAP.sub(b"\n", member.read())


def fetch(manifest: Path, update: bool) -> int:
    """Write every file of a manifest; returns how many. Raises VendorError on a checksum that differs."""
    entries: list[Entry] = json.loads(manifest.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        packages: dict[str, tarfile.TarFile] = {}
        for entry in entries:
            key = f"{entry['name']}@{entry['version']}"
            if key not in packages:
                packages[key] = pack(entry["name"], entry["version"], Path(scratch))
            data = extract(packages[key], entry)
            digest = hashlib.sha256(data).hexdigest()
            if not update and digest != entry["sha256"]:
                raise VendorError(
                    f"{entry['file']}: {key} has SHA-256 {digest}, the manifest says {entry['sha256']}; "
                    "after changing a version on purpose run with --update"
                )
            entry["sha256"] = digest
            target = manifest.parent / entry["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        for package in packages.values():
            package.close()
    if update:
        manifest.write_text(json.dumps(entries, indent=1) + "\n")
    return len(entries)


def main() -> int:
    """Fetch all manifests; exit status 1 with the reason when one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--update", action="store_true", help="accept new checksums")
    update = parser.parse_args().update
    try:
        for manifest in MANIFESTS:
            print(f"{manifest.relative_to(ROOT)}: {fetch(manifest, update)} files")
    except VendorError as error:
        print(f"vendor: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
