"""A running server is stopped. Stopping what is off changes nothing, so it may be sent again."""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('stop', deadline=600, stages=(Stage('powering_off', states.POWERING_OFF, redo=True),))
