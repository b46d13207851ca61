"""A stopped server is started. Starting what runs changes nothing, so it may be sent again."""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('start', deadline=600, stages=(Stage('powering_on', states.POWERING_ON, redo=True),))
