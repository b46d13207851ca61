"""KVM and QEMU through libvirt.

``driver`` puts the parts together; ``host`` owns the connection and all C calls go through it; ``lifecycle``,
``images``, ``disks``, ``console`` and ``vif`` each do one thing; ``xml`` turns values into libvirt's language.
"""
