"""What a failure on a host is in the ledger."""

from __future__ import annotations

import errno

from compute import exception
from compute.objects.operation import OperationError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def left_behind(error: Exception, second: Exception) -> exception.ComputeError:
    """Return why it is not tried on another host: the guest may run here, with the same addresses."""
    first, then = (getattr(each, 'message', type(each).__name__) for each in (error, second))
    return exception.Failed(f'{first}; and what was made of it could not be removed from this host ({then})',
                            code='guest_left_behind', hint='delete the server; its host removes what is left')


def as_value(error: Exception, stage: str) -> OperationError:
    if isinstance(error, exception.ComputeError):
        return OperationError.of(error, stage)
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return OperationError(code='disk_full', stage=stage, retryable=True, hint='free space on that host',
                              message=f'The disk of this host is full: {error.strerror}')
    return OperationError(code='internal', stage=stage, retryable=True,
                          message=f'An unexpected error of type {type(error).__name__} stopped it on this host')
