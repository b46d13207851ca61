"""Who may do what in the built-in Image API. Names are Glance's, so that what operators know carries over.

Whether an image can be *seen* is decided by its visibility when it is looked up (a miss is 404); these rules come
after.
``project_id`` of a target is the owner of the image.
"""

from __future__ import annotations

from oslo_policy import policy

ADMIN = 'role:admin'
READER = 'role:admin or role:manager or role:member or role:reader or role:service'
OWNER = 'role:admin or ((role:member or role:manager) and project_id:%(project_id)s)'
SEES_MEMBERS = f'role:admin or ({READER}) and (project_id:%(project_id)s or project_id:%(member_id)s)'
IS_MEMBER = 'role:admin or ((role:member or role:manager) and project_id:%(member_id)s)'

_V2 = '/v2/images'
_ONE = '/v2/images/{image_id}'
_MEMBERS = _ONE + '/members'


def _rule(name: str, check: str, text: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(
        name, check, text, [{'method': method, 'path': path} for method, path in operations])


RULES = (
    _rule('get_images', READER, 'List images.', ('GET', _V2)),
    _rule('get_image', READER, 'Show an image that the caller can see.', ('GET', _ONE)),
    _rule('add_image', OWNER, 'Create an image record for a project.', ('POST', _V2)),
    _rule('modify_image', OWNER, 'Change the attributes, properties or tags of an image.',
          ('PATCH', _ONE), ('PUT', _ONE + '/tags/{tag}'), ('DELETE', _ONE + '/tags/{tag}')),
    _rule('delete_image', OWNER, 'Delete an image with its data.', ('DELETE', _ONE)),
    _rule('publicize_image', ADMIN, 'Create an image public.', ('POST', _V2), ('PATCH', _ONE)),
    _rule('communitize_image', OWNER, 'Create an image a community image.', ('POST', _V2), ('PATCH', _ONE)),
    _rule('download_image', READER, 'Read the data of an image that the caller can see.', ('GET', _ONE + '/file')),
    _rule('upload_image', OWNER, 'Give an image its data.', ('PUT', _ONE + '/file')),
    _rule('deactivate', OWNER, 'Stop everybody but administrators from reading the data of an image.',
          ('POST', _ONE + '/actions/deactivate')),
    _rule('reactivate', OWNER, 'Let the data of a deactivated image be read again.',
          ('POST', _ONE + '/actions/reactivate')),
    _rule('download_deactivated', ADMIN, 'Read the data of a deactivated image.', ('GET', _ONE + '/file')),
    _rule('get_members', READER, 'List the projects that an image is shared with; a member sees only itself.',
          ('GET', _MEMBERS)),
    _rule('get_member', SEES_MEMBERS, 'Show one project that an image is shared with.',
          ('GET', _MEMBERS + '/{member_id}')),
    _rule('add_member', OWNER, 'Share an image with a project.', ('POST', _MEMBERS)),
    _rule('modify_member', IS_MEMBER, 'Accept or reject an image that is shared with the own project.',
          ('PUT', _MEMBERS + '/{member_id}')),
    _rule('delete_member', OWNER, 'Stop sharing an image with a project.', ('DELETE', _MEMBERS + '/{member_id}')),
    _rule('change_owner', ADMIN, 'Give an image to another project.', ('POST', _V2), ('PATCH', _ONE)),
    _rule('image_sees_all', 'role:admin or role:service', 'See the images of all projects.', ('GET', _V2),
          ('GET', _ONE)),
    _rule('get_info', READER, 'Show schemas, stores and ways to import.', ('GET', '/v2/schemas/{name}'),
          ('GET', '/v2/info/stores'), ('GET', '/v2/info/import')),
)
