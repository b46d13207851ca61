"""Disks move between two workers over TLS, without SSH and without a service that always listens.

The source opens an *offer* (``source.py``): for this one transfer it makes a key, a self-signed certificate and a
token, and listens. The offer travels to the destination over the message bus. The destination (``fetch.py``) accepts no
certificate but the one of the offer, and presents the token.

The protocol
------------

TLS 1.3. A *message* is a JSON object in UTF-8, after its length as 4 bytes (big-endian), 4096 bytes at most.

1. The client sends ``{"version": 1, "token": TOKEN, "session": NONCE}``. The first nonce that comes with the token is
   bound to it. A client whose connection broke connects again with both. It may do so at once: its older connection is
   closed. The source answers ``{"welcome": true}``; a client that it refuses gets no answer, but the end of the TLS
   connection (close_notify).
2. The client sends ``{"file": NAME, "from": OFFSET}``. The source answers with frames: kind (1 byte), offset (8 bytes),
   length (4 bytes), and so many bytes of payload. ``DATA`` has data of the file at the offset, in order, never across a
   multiple of ``BLOCK`` (1 MiB); what is between them are holes. ``END`` is the last one, its payload the digest of the
   file (``digest.py``). ``FAILED`` says that the source cannot deliver the file as it was offered; payload: the reason.
3. ``{"done": true}`` ends the session: the source stops listening and answers ``{"done": true}``.
"""
