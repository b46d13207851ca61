"""Words of a foreign answer without its markup: a proxy in front of a service answers pages, not JSON."""

from __future__ import annotations

import re

_ELEMENTS = ('!doctype', 'html', 'head', 'body', 'title', 'meta', 'link', 'script', 'style', 'div', 'span', 'center',
             'h[1-6]', 'p', 'pre', 'br', 'hr', 'a', 'b', 'i', 'em', 'strong', 'ul', 'ol', 'li', 'table', 'tr', 'td',
             'img', 'svg', 'iframe', 'form', 'input')
_HTML = re.compile(rf'</?(?:{"|".join(_ELEMENTS)})\b|<!--', re.I)
_UNSEEN = re.compile(r'<!--.*?(?:-->|\Z)|<(script|style|title)\b.*?(?:</\1\s*>|\Z)', re.S | re.I)
_TAG = re.compile(r'</?[a-zA-Z!?][^<>]*(?:>|\Z)')


def is_html(text: str) -> bool:
    """Return whether a text has an element of HTML."""
    return _HTML.search(text) is not None


def plain(text: str, most: int) -> str:
    """Return the visible words of a page in one line of at most ``most`` characters, with no angle bracket."""
    words = _TAG.sub(' ', _UNSEEN.sub(' ', text)).replace('<', ' ').replace('>', ' ')
    return ' '.join(''.join(char if char.isprintable() else ' ' for char in words).split())[:most].rstrip()
