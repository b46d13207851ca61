"""The one way in which XML is made here: elements as nested calls, with what is absent left out."""

from __future__ import annotations

from xml.etree import ElementTree

Element = ElementTree.Element


def element(tag: str, *children: Element | None, text: object = None, **attributes: object) -> Element:
    """Return an element. Children and attributes that are None are left out; numbers become text."""
    made = Element(tag, {name: str(value) for name, value in attributes.items() if value is not None})
    made.extend(child for child in children if child is not None)
    if text is not None:
        made.text = str(text)
    return made


def to_text(root: Element) -> str:
    """Return the document as a string."""
    return ElementTree.tostring(root, encoding='unicode')
