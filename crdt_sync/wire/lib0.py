"""The primitives of lib0, bounded: integers of 7 bits a byte, byte strings and UTF-8 strings with their length.

Everything read here comes from outside. A reader never reads past its end, takes each number in its shortest form only
and raises `Malformed` for all else. It knows nothing of what the bytes mean.

Source: https://github.com/dmonad/lib0, encoding.js and decoding.js.
"""

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire.limits import VAR_UINT_MAX

_SHIFT_END = 56  # eight bytes of seven bits: the first whole number of bytes that holds 53 bits


class Reader:
    """Reads one byte string from its start to its end; `position` is the offset of the next byte."""

    __slots__ = ("_data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    def byte(self) -> int:
        """Return the next byte."""
        try:
            value = self._data[self.position]
        except IndexError:
            raise _truncated(self.position) from None
        self.position += 1
        return value

    def var_uint(self) -> int:
        """Return an unsigned integer of at most 53 bits in its shortest form."""
        position = self.position
        try:
            value = self._data[position]
            if value < 0x80:
                self.position = position + 1
                return value
            return self._long_var_uint(value & 0x7F, position + 1, 7)
        except IndexError:
            raise _truncated(len(self._data)) from None

    def var_int(self) -> tuple[int, bool]:
        """Return a magnitude of at most 53 bits, and whether the sign is negative (lib0 writes a negative zero)."""
        first = self.byte()
        negative = bool(first & 0x40)
        if first < 0x80:
            return first & 0x3F, negative
        try:
            return self._long_var_uint(first & 0x3F, self.position, 6), negative
        except IndexError:
            raise _truncated(len(self._data)) from None

    def _long_var_uint(self, value: int, position: int, shift: int) -> int:
        while shift < _SHIFT_END:
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0:
                    raise Malformed(f"The integer that ends at byte {position} is not in its shortest form.")
                if value > VAR_UINT_MAX:
                    break
                self.position = position
                return value
            shift += 7
        raise Malformed(f"The integer that ends at byte {position} has more than 53 bits.")

    def take(self, length: int) -> bytes:
        """Return the next `length` bytes."""
        start = self.position
        end = start + length
        if end > len(self._data):
            raise Malformed(f"{length} bytes are announced at byte {start}, {len(self._data) - start} are there.")
        self.position = end
        return self._data[start:end]

    def var_bytes(self) -> bytes:
        """Return a byte string that is preceded by its length."""
        return self.take(self.var_uint())

    def var_string(self, bytes_max: int = VAR_UINT_MAX) -> str:
        """Return a text that is preceded by its length in bytes of UTF-8.

        Raises:
            TooLarge: its length is above `bytes_max`.

        """
        length = self.var_uint()
        if length > bytes_max:
            raise TooLarge(f"A text of {length} bytes where {bytes_max} are allowed.")
        start = self.position
        data = self.take(length)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"The text at byte {start} is not UTF-8.") from error

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self._data)

    def end(self) -> None:
        """Demand that nothing is left: a frame holds exactly one message.

        Raises:
            Malformed: bytes follow.

        """
        left = len(self._data) - self.position
        if left:
            raise Malformed(f"{left} bytes follow the end of the message.")


def _truncated(position: int) -> Malformed:
    return Malformed(f"The bytes end at {position}, in the middle of a value.")


def var_uint(value: int) -> bytes:
    """Write an unsigned integer in its shortest form."""
    if value < 0x80:
        assert value >= 0
        return bytes((value,))
    assert value <= VAR_UINT_MAX
    out = bytearray()
    while value >= 0x80:
        out.append(0x80 | (value & 0x7F))
        value >>= 7
    out.append(value)
    return bytes(out)


def var_bytes(data: bytes) -> bytes:
    """Write a byte string behind its length."""
    return var_uint(len(data)) + data


def var_string(text: str) -> bytes:
    """Write a text behind its length in bytes of UTF-8, which is not its number of characters."""
    return var_bytes(text.encode())
