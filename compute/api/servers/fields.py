"""What a server consists of in requests and answers, with the versions of each key."""

from __future__ import annotations

from typing import Any

from compute.api.changes import servers as changes
from compute.api.schema import BOOLEAN, HOST, NAME, PASSWORD, STRING, TEXT, UUID, whole
from compute.api.servers.personality import PERSONALITY
from compute.rest.fields import Between, Either, ListOf, Required, Since, Until, fields
from compute.rest.op import Body, View
from compute.rest.versions import window

METADATA = {'type': 'object', 'patternProperties': {r'^[a-zA-Z0-9-_:. ]{1,255}\Z': {
    'type': 'string', 'maxLength': 255}}, 'additionalProperties': False}
_HOSTNAME = {'type': ['string', 'null'], 'minLength': 2, 'maxLength': 63,
             'pattern': r'^[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]\Z'}
_FQDN = {'type': ['string', 'null'], 'minLength': 2, 'maxLength': 255,
         'pattern': r'^[a-zA-Z0-9][a-zA-Z0-9-.]*[a-zA-Z0-9]\Z'}
MAX_TAGS = 50
TAG: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 60, 'pattern': r'^[^,/]*\Z'}
_CERTIFICATES = {'type': ['array', 'null'], 'minItems': 1, 'maxItems': 50, 'uniqueItems': True,
                 'items': {'type': 'string', 'minLength': 1}}
_IP_V4 = {'type': 'string', 'format': 'ipv4'}
_IP_V6 = {'type': 'string', 'format': 'ipv6'}
_DISK_CONFIG = {'type': 'string', 'enum': ['AUTO', 'MANUAL']}
_ADDRESS = {'type': 'string', 'anyOf': [_IP_V4, _IP_V6]}
_IMAGE = {'type': 'string', 'anyOf': [{'format': 'uuid'}, {'maxLength': 0}, {
    'pattern': r'^https?://[^\s]+/[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z'}]}
_HOSTS_OF = {'anyOf': [UUID, {'type': 'array', 'items': UUID, 'maxItems': 1000, 'uniqueItems': True}]}

# Tags on devices: from 2.32, lost by a defect between 2.37 (networks) or 2.33 (disks) and 2.42.
_NETWORK = fields({
    'uuid': UUID, 'port': {'type': ['string', 'null'], 'format': 'uuid'}, 'fixed_ip': _ADDRESS,
    'tag': Either(Between('2.32', '2.37', TAG), Since('2.42', TAG))})
_BLOCK_DEVICE = fields({
    'uuid': STRING, 'source_type': {'type': 'string', 'enum': ['volume', 'image', 'snapshot', 'blank']},
    'destination_type': {'type': 'string', 'enum': ['local', 'volume']},
    'boot_index': {'type': ['integer', 'string', 'null'], 'pattern': r'^-?[0-9]+\Z'}, 'device_name': STRING,
    'device_type': STRING, 'disk_bus': STRING, 'guest_format': STRING, 'image_id': STRING, 'no_device': {},
    'volume_id': STRING, 'volume_size': whole(1), 'snapshot_id': STRING, 'connection_info': STRING,
    'delete_on_termination': BOOLEAN,
    'tag': Either(Between('2.32', '2.33', TAG), Since('2.42', TAG)),
    'volume_type': Since('2.67', {'type': ['string', 'null'], 'maxLength': 255})})
_NETWORKS = Either(
    Until('2.37', ListOf(_NETWORK)),
    Since('2.37', {'oneOf': [{'type': 'array'}, {'type': 'string', 'enum': ['auto', 'none']}]}, required=True))
# Other hints have no meaning of their own: a filter that an operator installs may read them.
READ_HINTS = ('group', 'same_host', 'different_host')
UNREAD_HINTS = ('query', 'target_cell', 'different_cell', 'build_near_host_ip', 'cidr')
HINTS = ('os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints')
_HINTS = {'type': 'object', 'properties': {
    'group': {'type': 'string', 'format': 'uuid'},
    'different_host': _HOSTS_OF, 'same_host': _HOSTS_OF,
    'query': {'type': ['string', 'object']}, 'target_cell': STRING, 'different_cell': {'type': ['string', 'array']},
    'build_near_host_ip': STRING, 'cidr': {'type': 'string', 'pattern': r'^/[0-9a-f.:]+\Z'}},
    'additionalProperties': True}

NETWORK_LIST = ListOf(_NETWORK)
CREATE = Body('server', fields({
    'name': Required(NAME),
    'imageRef': _IMAGE,
    'flavorRef': Required({'type': ['string', 'integer'], 'minLength': 1}),
    'adminPass': PASSWORD,
    'metadata': METADATA,
    'networks': _NETWORKS,
    'OS-DCF:diskConfig': _DISK_CONFIG,
    'accessIPv4': _IP_V4, 'accessIPv6': _IP_V6,
    'personality': Until('2.57', PERSONALITY),
    'availability_zone': {'type': 'string', 'minLength': 1, 'maxLength': 255},
    'block_device_mapping': ListOf({'type': 'object'}),
    'block_device_mapping_v2': ListOf(_BLOCK_DEVICE),
    'config_drive': {'anyOf': [BOOLEAN, {'type': 'null'}, {'maxLength': 0}]},
    'key_name': {'type': 'string', 'minLength': 1, 'maxLength': 255},
    'min_count': whole(1), 'max_count': whole(1), 'return_reservation_id': BOOLEAN,
    'security_groups': ListOf(fields(name={'type': 'string', 'minLength': 1, 'maxLength': 255})),
    'user_data': {'type': 'string', 'maxLength': 65535},
    'description': Since('2.19', TEXT),
    'tags': Since('2.52', {'type': 'array', 'items': TAG, 'maxItems': MAX_TAGS}),
    'trusted_image_certificates': Since('2.63', _CERTIFICATES),
    'host': Since('2.74', HOST), 'hypervisor_hostname': Since('2.74', HOST),
    'hostname': Either(Between('2.90', '2.94', _HOSTNAME), Since('2.94', _FQDN)),
}), beside=dict.fromkeys(HINTS, _HINTS))

UPDATE = Body('server', fields({
    'name': NAME, 'OS-DCF:diskConfig': _DISK_CONFIG, 'accessIPv4': _IP_V4, 'accessIPv6': _IP_V6,
    'description': Since('2.19', TEXT),
    'hostname': Either(Between('2.90', '2.94', _HOSTNAME), Since('2.94', _FQDN)),
    'pinned_availability_zone': Since('2.104', {'type': ['string', 'null'], 'minLength': 1, 'maxLength': 255}),
}))

_EVERYWHERE = {
    'locked': Since('2.9', {}), 'description': Since('2.19', {}), 'tags': Since('2.26', {}),
    'trusted_image_certificates': Since('2.63', {}), 'locked_reason': Since('2.73', {}),
    'pinned_availability_zone': Since('2.96', {}), 'scheduler_hints': Since('2.100', {}),
}
_ATTRIBUTES_2_3 = dict.fromkeys((
    'OS-EXT-SRV-ATTR:hostname', 'OS-EXT-SRV-ATTR:kernel_id', 'OS-EXT-SRV-ATTR:launch_index',
    'OS-EXT-SRV-ATTR:ramdisk_id', 'OS-EXT-SRV-ATTR:reservation_id', 'OS-EXT-SRV-ATTR:root_device_name',
    'OS-EXT-SRV-ATTR:user_data'), Since('2.3', {}))
_FULL = {**_EVERYWHERE, **_ATTRIBUTES_2_3, 'host_status': Since('2.16', {})}
# An update answered less, before 2.75.
_UPDATE_2_75 = dict.fromkeys((
    'OS-EXT-AZ:availability_zone', 'OS-EXT-STS:task_state', 'OS-EXT-STS:vm_state', 'OS-EXT-STS:power_state',
    'OS-EXT-SRV-ATTR:host', 'OS-EXT-SRV-ATTR:instance_name', 'OS-EXT-SRV-ATTR:hypervisor_hostname',
    *_ATTRIBUTES_2_3, 'OS-SRV-USG:launched_at', 'OS-SRV-USG:terminated_at', 'config_drive', 'key_name',
    'security_groups', 'os-extended-volumes:volumes_attached', 'host_status'), Since('2.75', {}))

DETAILED = View('servers', fields(_FULL), many=True, changes=changes.CHANGES)
SHOWN = View('server', fields({**_FULL, 'server_groups': Since('2.71', {})}), changes=changes.CHANGES)
UPDATED = View('server', fields({**_EVERYWHERE, **_UPDATE_2_75, 'server_groups': Since('2.71', {})}),
               changes=(*changes.CHANGES, ('2.75', changes.plain_addresses)))
STRICT = window('2.75')
