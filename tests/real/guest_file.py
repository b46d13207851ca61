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
    subprocess.run([str(ROOT / 'tools' / 'build_guest_image'), '--output', str(path)], check=True, capture_output=True)
    return path
