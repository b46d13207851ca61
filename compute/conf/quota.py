"""What a project may use unless its own quota or the default quota class says otherwise. -1 is no limit."""

from __future__ import annotations

from oslo_config import cfg

GROUP = cfg.OptGroup('quota', title='Default quotas')


def _limit(name: str, default: int, text: str) -> cfg.IntOpt:
    return cfg.IntOpt(name, default=default, min=-1, help=f'{text} -1 is no limit.')


OPTS = [
    _limit('instances', 10, 'Servers that a project may have.'),
    _limit('cores', 20, 'Virtual CPUs that all servers of a project may have together.'),
    _limit('ram', 51200, 'MiB of memory that all servers of a project may have together.'),
    _limit('metadata_items', 128, 'Metadata items that one server may have.'),
    _limit('injected_files', 5, 'Files that a create request may inject (to microversion 2.56).'),
    _limit('injected_file_content_bytes', 10240, 'Bytes that an injected file may have.'),
    _limit('injected_file_path_bytes', 255, 'Bytes that the path of an injected file may have.'),
    _limit('key_pairs', 100, 'Key pairs that a user may have.'),
    _limit('server_groups', 10, 'Server groups that a project may have.'),
    _limit('server_group_members', 10, 'Servers that a server group may have.'),
]
