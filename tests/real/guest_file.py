"""The project's own small guest image as a file: the one that COMPUTE_TEST_GUEST names, or one that is built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def guest_file(folder: Path) -> Path:
    """Return where it is; it is built in ``folder`` where none is given."""
    if given := os.environ.get('COMPUTE_TEST_GUEST'):
        return Path(given)
    path = folder / 'guest.qcow2'
    build_guest(path)
    return path


def build_guest(path: Path, *options: str) -> None:
    """Build the image."""
    subprocess.run([str(ROOT / 'tools' / 'build_guest_image'), '--output', str(path), *options], check=True,
                   capture_output=True)
