"""Who may make servers, and how far the request may go."""

from __future__ import annotations

from compute.policies.rules import ADMIN, MEMBER, rule

CREATE = 'os_compute_api:servers:create'
FORCED_HOST = f'{CREATE}:forced_host'
REQUESTED_DESTINATION = 'compute:servers:create:requested_destination'
ATTACH_VOLUME, ATTACH_NETWORK = f'{CREATE}:attach_volume', f'{CREATE}:attach_network'
TRUSTED_CERTS, ZERO_DISK_FLAVOR = f'{CREATE}:trusted_certs', f'{CREATE}:zero_disk_flavor'
EXTERNAL_NETWORK = 'network:attach_external_network'
ADDRESS_OF_OTHERS = 'compute:servers:create:fixed_ip_of_shared_network'

RULES = (
    rule(CREATE, MEMBER, 'Create a server.', 'POST /servers'),
    rule(FORCED_HOST, ADMIN, 'Name the host of a new server as zone:host:node, past the scheduler.', 'POST /servers'),
    rule(REQUESTED_DESTINATION, ADMIN, 'Name the host of a new server, checked by the scheduler, from 2.74.',
         'POST /servers'),
    rule(ATTACH_VOLUME, MEMBER, 'Create a server with volumes.', 'POST /servers'),
    rule(ATTACH_NETWORK, MEMBER, 'Create a server with networks or ports.', 'POST /servers'),
    rule(TRUSTED_CERTS, MEMBER, 'Create a server whose image is checked against certificates, from 2.63.',
         'POST /servers'),
    rule(ZERO_DISK_FLAVOR, ADMIN, 'Create a server of a flavor without a disk from an image, whose size then rules.',
         'POST /servers'),
    rule(EXTERNAL_NETWORK, ADMIN, 'Connect a server to a network that leads outside.',
         'POST /servers', 'POST /servers/{id}/os-interface'),
    rule(ADDRESS_OF_OTHERS, ADMIN, 'Choose the address of a new server on a network that another project shares. Relax '
         'it together with create_port:fixed_ips:ip_address of the Network service.', 'POST /servers'),
)
