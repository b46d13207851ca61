"""The architecture that an image asks for, as the scheduler and the hosts read it alike.

People write it in more ways than libvirt knows: Debian says amd64 where the kernel says x86_64.
"""

from __future__ import annotations

PROPERTIES = ('hw_architecture', 'architecture')
"""The image properties that name it; the first that is set counts."""
SPELLINGS = {'amd64': 'x86_64', 'x64': 'x86_64', 'arm64': 'aarch64', 'i386': 'i686', 'i486': 'i686', 'i586': 'i686',
             'x86': 'i686', 'powerpc64le': 'ppc64le'}


def spelled(value: str) -> str:
    """Return an architecture by the name that libvirt has for it; unknown ones as they are, in small letters."""
    value = value.strip().lower()
    return SPELLINGS.get(value, value)
