"""Network namespaces: making them, and running something inside one.

A thread, not the process, is in a namespace. ``run_in`` uses a thread of its own that ends afterwards, so nothing
has to be undone; processes started there stay there. Only for the helper process, whose threads are native.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pyroute2 import netns

from compute.builtin.network.agent.linux import setns

T = TypeVar('T')
FOLDER = '/run/netns'


def path(name: str) -> str:
    """Return where a namespace is to be opened."""
    return f'{FOLDER}/{name}'


def inode(name: str) -> int:
    """Return the namespace's number, 0 when there is none; a namespace made anew has another one."""
    try:
        status = os.stat(path(name))
    except FileNotFoundError:
        return 0
    # A plain file is what is left when the mount on it is gone.
    return status.st_ino if status.st_dev != os.stat(FOLDER).st_dev else 0


def listed() -> list[str]:
    """Return the names of all namespaces."""
    return os.listdir(FOLDER) if os.path.isdir(FOLDER) else []


def ensure(name: str) -> bool:
    """Make a namespace unless it is there; return whether it was made."""
    if inode(name):
        return False
    if os.path.exists(path(name)):
        os.unlink(path(name))
    netns.create(name)
    return True


def remove(name: str) -> bool:
    """Remove a namespace if it is there; return whether it was."""
    if inode(name):
        netns.remove(name)
        return True
    if os.path.exists(path(name)):
        os.unlink(path(name))
    return False


def enter(name: str) -> None:
    """Move this thread into a namespace.

    :raises OSError: when that is not possible.
    """
    descriptor = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns.enter(descriptor)
    finally:
        os.close(descriptor)


def run_in(name: str, function: Callable[..., T], *args: Any) -> T:
    """Call ``function`` inside a namespace, in a thread of its own, and return or raise what it does."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            enter(name)
            results.append(function(*args))
        except BaseException as error:
            errors.append(error)
    thread = threading.Thread(target=run, name=f'in-{name}')
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
