"""What holds for any decoder and any bytes; the tests and the fuzzer share it."""

from crdt_sync.errors import TicketSyncError
from tests.codecs.decoders import Decoder


def hold(decoder: Decoder, data: bytes) -> bool:
    """Decode, and if that gives a value write it again; tell whether it did. Whatever else is raised is a fault."""
    try:
        found = decoder.decode(data)
    except TicketSyncError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.code, "an error without a code"
        assert refused.message, "an error without a word"
        return False
    again = decoder.encode(found) if decoder.encode is not None else None
    if again is not None and again != data:
        assert decoder.because, f"{data.hex()} is written again as {again.hex()}"
        assert found == decoder.decode(again), f"{again.hex()} says something else than {data.hex()}"
    return True
