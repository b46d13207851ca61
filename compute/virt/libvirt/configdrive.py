"""The config drive: an ISO 9660 image with the same tree of documents that the metadata service serves.

Long names are in the Rock Ridge (Linux) and Joliet (Windows) records; the plain ISO 9660 names, which nobody reads, are
numbers, so that no two documents can clash.
"""

from __future__ import annotations

import io
import os
import pathlib

import pycdlib

LABEL = 'config-2'


def write(path: pathlib.Path, documents: dict[str, bytes]) -> None:
    """Write the drive to ``path``; ``documents`` maps paths like ``openstack/latest/meta_data.json`` to contents."""
    part = path.with_name(f'{path.name}.part')
    part.unlink(missing_ok=True)
    # Passwords and user data are in it: libvirt gives the file to QEMU's user, nobody else has to read it.
    with open(part, 'xb', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(build(documents))
    part.rename(path)


def build(documents: dict[str, bytes]) -> bytes:
    """Return the drive's data."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge='1.09', vol_ident=LABEL)
    folders: dict[str, str] = {'': ''}
    for number, (name, content) in enumerate(sorted(documents.items())):
        parent, _, leaf = name.strip('/').rpartition('/')
        plain = f'{_folder(iso, folders, parent)}/F{number:07d}.;1'
        iso.add_fp(io.BytesIO(content), len(content), iso_path=plain, rr_name=leaf, joliet_path=f'/{name.strip("/")}')
    drive = io.BytesIO()
    iso.write_fp(drive)
    iso.close()
    return drive.getvalue()


def _folder(iso: pycdlib.PyCdlib, folders: dict[str, str], name: str) -> str:
    """Return the plain path of a folder, made with its parents when it is new."""
    if name not in folders:
        parent, _, leaf = name.rpartition('/')
        plain = f'{_folder(iso, folders, parent)}/D{len(folders):07d}'
        iso.add_directory(plain, rr_name=leaf, joliet_path=f'/{name}')
        folders[name] = plain
    return folders[name]
