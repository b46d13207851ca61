"""The one way in which XML is made here: elements as nested calls, with what is absent left out."""

from __future__ import annotations

import re
from xml.etree import ElementTree

Element = ElementTree.Element
_NOT_IN_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')


def element(tag: str, *children: Element | None, text: object = None, **attributes: object) -> Element:
    """Return an element. Children and attributes that are None are left out; numbers become text.

    Characters that XML cannot hold, not even escaped, become U+FFFD: libvirt refuses a whole domain for one of them.
    """
    made = Element(tag, {name: _text(value) for name, value in attributes.items() if value is not None})
    made.extend(child for child in children if child is not None)
    if text is not None:
        made.text = _text(text)
    return made


def to_text(root: Element) -> str:
    """Return the document as a string."""
    return ElementTree.tostring(root, encoding='unicode')


def _text(value: object) -> str:
    return _NOT_IN_XML.sub('\ufffd', str(value))
