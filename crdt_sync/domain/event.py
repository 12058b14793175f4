"""The types of domain events: what the service tells departments that has happened. No event is made here.

Who may see an event stands in its `audience`, which its maker sets: `crdt_sync.service.draft`. What each type says in
its data is fixed by a JSON Schema in `proto/events`.
"""

from enum import StrEnum


class EventType(StrEnum):
    """What happened, in the past tense."""

    OPENED = "opened"
    TRANSITIONED = "transitioned"
    STAGE_CHANGED = "stage_changed"
    OBLIGATION_RAISED = "obligation_raised"
    OBLIGATION_OVERDUE = "obligation_overdue"  # it has been owed for too long: it is red
    OBLIGATION_DISCHARGED = "obligation_discharged"
    CONVERSATION_BOUND = "conversation_bound"  # the ticket is what a customer says on a chat platform
    MESSAGE = "message"
    ANSWERED = "answered"  # somebody answered the customer, told beside the message
    DELIVERY = "delivery"  # what became of a part of an answer to the customer
    DUPLICATE_MARKED = "duplicate_marked"  # the ticket's work goes on in another one
    DUPLICATE_CLEARED = "duplicate_cleared"  # it goes on here again
    REFUSED = "refused"
