"""The quota of files that a request puts into a server."""

from __future__ import annotations

import base64

from compute import exception
from compute.objects.injected_file import InjectedFile

COUNT, PATH, CONTENT = 'injected_files', 'injected_file_path_bytes', 'injected_file_content_bytes'


def check_quota(limits: dict[str, int], files: tuple[InjectedFile, ...]) -> None:
    """:raises OverQuota: there are too many files, or a path or a content is too long. A limit of -1 is none."""
    if _over(limits, COUNT, len(files)):
        raise exception.OverQuota(f'Personality file limit exceeded: {len(files)} files are given, the limit is '
                                  f'{limits[COUNT]}.')
    for number, file in enumerate(files):
        for name, limit, size in (('path', PATH, len(file.path.encode())),
                                  ('contents', CONTENT, len(base64.b64decode(file.content)))):
            if _over(limits, limit, size):
                raise exception.OverQuota(f'Personality file limit exceeded: personality.{number}.{name} has {size} '
                                          f'bytes, the limit is {limits[limit]}.')


def _over(limits: dict[str, int], name: str, number: int) -> bool:
    return 0 <= limits.get(name, -1) < number
