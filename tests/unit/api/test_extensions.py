"""The list of extensions: Nova's aliases only, and those whose operation is served."""

from __future__ import annotations

from compute.api import extensions
from compute.api.app import all_resources
from compute.rest.op import Op, Resource

# Nova's fixed list, but for what answers 410.
NOVA = """
NMN OS-DCF OS-EXT-AZ OS-EXT-IMG-SIZE OS-EXT-IPS OS-EXT-IPS-MAC OS-EXT-SRV-ATTR OS-EXT-STS OS-FLV-DISABLED
OS-FLV-EXT-DATA OS-SCH-HNT OS-SRV-USG os-access-ips os-admin-actions os-admin-password os-aggregates
os-assisted-volume-snapshots os-attach-interfaces os-availability-zone os-baremetal-ext-status os-baremetal-nodes
os-block-device-mapping os-block-device-mapping-v2-boot os-config-drive os-console-auth-tokens os-console-output
os-consoles os-create-backup os-deferred-delete os-evacuate os-extended-evacuate-find-host os-extended-floating-ips
os-extended-hypervisors os-extended-networks os-extended-quotas os-extended-rescue-with-image os-extended-services
os-extended-services-delete os-extended-status os-extended-volumes os-flavor-access os-flavor-extra-specs
os-flavor-manage os-flavor-rxtx os-flavor-swap os-floating-ip-pools os-floating-ips os-hide-server-addresses os-hosts
os-hypervisor-status os-hypervisors os-instance-actions os-instance_usage_audit_log os-keypairs os-lock-server
os-migrate-server os-migrations os-multiple-create os-networks os-pause-server os-personality
os-preserve-ephemeral-rebuild os-quota-class-sets os-quota-sets os-rescue os-security-groups os-server-diagnostics
os-server-external-events os-server-group-quotas os-server-groups os-server-list-multi-status os-server-password
os-server-sort-keys os-server-start-stop os-services os-shelve os-simple-tenant-usage os-suspend-server
os-tenant-networks os-used-limits os-used-limits-for-admin os-user-data os-user-quotas os-volume-attachment-update
os-volumes
""".split()


def aliases(*ops: Op, actions: str | None = None) -> list[str]:
    index = extensions.resource((Resource('some', ops, actions),)).ops[0]
    assert index.handler is not None
    return [row['alias'] for row in index.handler(None)['extensions']]


def test_there_are_no_others_than_novas() -> None:
    assert {alias for alias, *_ in extensions.ROWS} <= set(NOVA)
    assert [alias for alias, *_ in extensions.ROWS] == sorted(alias for alias, *_ in extensions.ROWS)


def test_an_alias_is_listed_when_its_operation_is_served() -> None:
    assert aliases() == []
    assert aliases(Op('ACTION', 'pause', print), actions='/servers/{id}/action') == ['os-pause-server']
    assert aliases(Op('ACTION', 'pause', gone=True), actions='/servers/{id}/action') == []
    assert aliases(Op('GET', '/os-migrations', print), Op('GET', '/os-keypairs', print)) == [
        'os-keypairs', 'os-migrations']


def test_what_is_served_has_its_alias() -> None:
    found = next(resource for resource in all_resources() if resource.name == 'extensions')
    assert found.ops[0].handler is not None
    listed = {row['alias'] for row in found.ops[0].handler(None)['extensions']}
    assert {'OS-DCF', 'OS-EXT-AZ', 'OS-EXT-IPS', 'OS-EXT-IPS-MAC', 'OS-EXT-SRV-ATTR', 'OS-EXT-STS', 'OS-FLV-DISABLED',
            'OS-FLV-EXT-DATA', 'OS-SCH-HNT', 'OS-SRV-USG', 'os-access-ips', 'os-availability-zone', 'os-config-drive',
            'os-console-output', 'os-extended-status', 'os-extended-volumes', 'os-flavor-swap', 'os-keypairs',
            'os-lock-server', 'os-server-start-stop', 'os-used-limits', 'os-user-quotas'} <= listed
