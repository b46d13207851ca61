"""An offer of one host to another: files of a server that move, and how they are fetched.

The source makes it (``worker/transfer/source.py``), an operation carries it to the destination, which fetches the files
(``worker/transfer/fetch.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class OfferedFile:
    """A file as it was when it was offered.

    :param size: its length in bytes. :param data_bytes: how many of them are data; the others are holes.
    :param sha256: the digest of its content (``worker/transfer/digest.py``); None where it is sent after the data.
    """

    name: str
    size: int
    data_bytes: int
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Where files can be fetched, once, by the first client that presents the token.

    :param fingerprint: SHA-256 of the source's TLS certificate, in hexadecimal digits.
    :param token: the secret that admits the client. It is neither logged nor shown.
    :param backing: for the name of each disk that is based on an image, the name of that image. It is not transferred.
    """

    address: str
    port: int
    fingerprint: str
    token: str = field(repr=False, metadata={'secret': True})
    files: tuple[OfferedFile, ...]
    backing: dict[str, str] = field(default_factory=dict)
