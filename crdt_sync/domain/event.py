"""The types of domain events: what the service tells departments that has happened. No event is made here.

Who may see an event stands in its `audience`, which its maker sets: `crdt_sync.service.draft`.
"""

from enum import StrEnum


class EventType(StrEnum):
    """What happened, in the past tense."""

    OPENED = "opened"
    TRANSITIONED = "transitioned"
    STAGE_CHANGED = "stage_changed"
    OBLIGATION_RAISED = "obligation_raised"
    OBLIGATION_DISCHARGED = "obligation_discharged"
    MESSAGE = "message"
    REFUSED = "refused"
