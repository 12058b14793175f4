"""Folds with a planted fault, as a wrong build of a replica would have them, and how a replica gets one."""

from dataclasses import replace

from crdt_sync.domain.lifecycle.fold import Fold
from crdt_sync.replica.view import View


class DropsRounds(Fold):
    """Takes a revived lane for one that was never reset."""

    def _move(self, transition, index, past):
        move = super()._move(transition, index, past)
        return replace(move, rank=replace(move.rank, round=0))


class ForgetsSettled(Fold):
    """Lets a settlement overtake what was decided after another settlement of the same conflict."""

    def _move(self, transition, index, past):
        move = super()._move(transition, index, past)
        return replace(move, rank=replace(move.rank, settled=False))


class ForgetsFlags(Fold):
    """Does not say which lanes ask for a review, and so cannot be explained."""

    def _read(self, bits, heads):
        return replace(super()._read(bits, heads), flags={})


class Fails(Fold):
    """Fails on every view."""

    def _read(self, bits, heads):
        raise ZeroDivisionError(f"{bits:b} {heads}")


def plant(ticket, faulty):
    """Make a replica read this ticket with a faulty fold from now on."""
    ticket._view = View(ticket.lifecycle, ticket.id)
    ticket._view._fold = faulty(ticket.lifecycle, ticket.id)
    ticket._folded = None
