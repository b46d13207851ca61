"""Options of the built-in image daemon: where it listens, where it keeps data, and how much of it."""

from __future__ import annotations

from oslo_config import cfg

from compute.conf import public_endpoint, workers

GROUP = cfg.OptGroup('image', title='Built-in image daemon', help='''
compute-image speaks the Image API v2 (as Glance does) and keeps the data of images as files. Nothing of this group is
read where a real Glance is used.
''')

OPTS: list[cfg.Opt] = [
    cfg.HostAddressOpt('listen_host', default='0.0.0.0', help='Address on which compute-image listens.'),
    cfg.PortOpt('listen_port', default=9292, help='Port on which compute-image listens.'),
    workers(),
    public_endpoint(9292),
    cfg.StrOpt('store_path', default='/var/lib/compute/images', help='''
Directory with the data of all images. Several image daemons may share one database only if they share this directory
too (for example over NFS with working locks): each of them cleans up after uploads that nobody continues.
'''),
    cfg.BoolOpt('require_image_format_match', default=True, help='''
Whether data is refused that is not of the image's disk_format, or that refers to files outside of itself (a backing
file, an external data file, extents in other files). Turn it off only if all users who may upload are trusted: a
hypervisor that follows such a reference reads files of its own host.
'''),
    cfg.IntOpt('max_image_size', default=1099511627776, min=1, help='''
Bytes that one image may have. A longer upload is refused with 413 and leaves nothing behind.
'''),
    cfg.IntOpt('project_total_size', default=0, min=0, help='''
Bytes that all images of one project may have together; 0 sets no limit.
'''),
    cfg.IntOpt('project_total_count', default=0, min=0, help='''
How many images one project may have; 0 sets no limit.
'''),
    cfg.IntOpt('max_properties', default=128, min=0, help='How many additional properties one image may have.'),
    cfg.IntOpt('max_tags', default=128, min=0, help='How many tags one image may have.'),
    cfg.IntOpt('max_members', default=128, min=0, help='With how many projects one image may be shared.'),
    cfg.IntOpt('page_size', default=25, min=1, help='How many images a list has when the request sets no limit.'),
    cfg.IntOpt('max_page_size', default=1000, min=1, help='The largest limit that a request for a list may set.'),
    cfg.FloatOpt('cleanup_interval', default=60.0, min=0.1, help='''
Seconds between two searches for uploads that died with their process (their images become queued again) and for files
that no image owns.
'''),
]
