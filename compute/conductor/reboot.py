"""Reboot in the ledger: the host does it; sent again after a crash it is hard, whatever it was."""

from __future__ import annotations

from compute import context as ctx
from compute.conductor.conductor import Conductor
from compute.conductor.ending import end_failed
from compute.control.instances.reboot import send
from compute.objects.operation import OperationError, Work

__all__ = ['failed', 'resend']


def resend(conductor: Conductor, context: ctx.RequestContext, work: Work) -> None:
    """Tell the host once more: it had not begun, or began and was cut off."""
    conductor.send(context, work, send)


def failed(conductor: Conductor, context: ctx.RequestContext, work: Work, error: OperationError) -> None:
    """The host could not do it: the server keeps its state and shows why."""
    end_failed(conductor, work, error)
