"""Tags: ``/{collection}/{id}/tags``, the same for every kind that has them.

A tag is any text, also with a slash, which is ``%2F`` in the URL of one tag, and with a comma.
"""

from __future__ import annotations

from typing import Any

from compute.builtin.network.api import networks, ports, security_groups, subnets
from compute.builtin.network.api.nouns import Noun
from compute.builtin.network.api.schema import TAG, TAGS
from compute.builtin.network.control import tags
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.reply import Reply

BODY = Body(None, fields({'tags': Required(TAGS)}))


class Tags:
    """Handlers for one kind."""

    def __init__(self, noun: Noun) -> None:
        self._noun = noun

    def show(self, call: Call) -> dict[str, Any]:
        """List the tags."""
        return {'tags': call.app.look(lambda work: tags.of(work, call.target['id']))}

    def replace(self, call: Call) -> dict[str, Any]:
        """Replace all tags."""
        return {'tags': self._replace(call, call.body['tags'])}

    def clear(self, call: Call) -> None:
        """Remove all tags."""
        self._replace(call, [])

    def check(self, call: Call) -> None:
        """Answer 204 if the tag is there. :raises NotFound:"""
        if call.path['tag'] not in self.show(call)['tags']:
            raise tags.missing(call.path['tag'])

    def add(self, call: Call) -> Reply:
        """Add a tag."""
        tag = call.path['tag']
        if len(tag) > TAG['maxLength']:
            raise Invalid(f'tag: {tag[:50]!r} has {len(tag)} characters; the limit is {TAG["maxLength"]}')
        call.app.do(lambda work: tags.add(work, self._noun.kind, call.target['id'], tag, TAGS['maxItems']))
        return Reply(status=201)

    def remove(self, call: Call) -> None:
        """Remove a tag. :raises NotFound:"""
        call.app.do(lambda work: tags.remove(work, self._noun.kind, call.target['id'], call.path['tag']))

    def _replace(self, call: Call, wanted: Any) -> Any:
        return call.app.do(lambda work: tags.replace(work, self._noun.kind, call.target['id'], wanted))

    def ops(self) -> tuple[Op, ...]:
        """Return the rows of operations."""
        kind, load = self._noun.kind.name, self._noun.load
        every, one = f'{self._noun.path}/{{id}}/tags', f'{self._noun.path}/{{id}}/tags/{{tag}}'
        get, change = f'get_{kind}', f'update_{kind}s_tags'
        return (Op('GET', every, self.show, get, loads=load),
                Op('PUT', every, self.replace, change, body=BODY, loads=load),
                Op('DELETE', every, self.clear, change, 204, loads=load),
                Op('GET', one, self.check, get, 204, loads=load),
                Op('PUT', one, self.add, change, 201, loads=load),
                Op('DELETE', one, self.remove, change, 204, loads=load))


RESOURCE = Resource('tags', tuple(op for noun in (
    networks.NOUN, subnets.NOUN, ports.NOUN, security_groups.GROUPS) for op in Tags(noun).ops()))
