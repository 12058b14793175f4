"""The primitives of lib0, bounded: integers of 7 bits a byte, byte strings and UTF-8 strings with their length.

Everything read here comes from outside. A reader never reads past its end, takes each number in its shortest form only
and raises `Malformed` for all else. It knows nothing of what the bytes mean.

Source: https://github.com/dmonad/lib0, encoding.js and decoding.js.
"""

from crdt_sync.errors import Malformed, TooLarge
from crdt_sync.wire.limits import VAR_UINT_MAX

_SHIFT_END = 56  # eight bytes of seven bits: the first whole number of bytes that holds 53 bits


def var_uint_at(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned integer of at most 53 bits that begins at `at` in its shortest form, and where it ends."""
    try:
        value = data[at]
        if value < 0x80:
            return value, at + 1
        second = data[at + 1]
        if 0 < second < 0x80:
            return value & 0x7F | second << 7, at + 2
        return _long_var_uint(data, value & 0x7F, at + 1, 7)
    except IndexError:
        raise truncated(len(data)) from None


def var_string_at(data: bytes, at: int) -> tuple[str, int]:
    """Return the text that begins at `at` with its length in bytes of UTF-8, and where it ends."""
    try:
        length, start = data[at], at + 1
    except IndexError:
        raise truncated(len(data)) from None
    if length > 0x7F:
        length, start = var_uint_at(data, at)
    end = start + length
    if end > len(data):
        raise _overrun(length, start, len(data))
    try:
        return data[start:end].decode(), end
    except UnicodeDecodeError as error:
        raise Malformed(f"The text at byte {start} is not UTF-8.") from error


def var_bytes_at(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the byte string that begins at `at` with its length, and where it ends."""
    length, start = var_uint_at(data, at)
    end = start + length
    if end > len(data):
        raise _overrun(length, start, len(data))
    return data[start:end], end


def var_int_at(data: bytes, at: int) -> tuple[int, bool, int]:
    """Return a magnitude of at most 53 bits, whether the sign is negative (lib0 writes -0 too), and where it ends."""
    try:
        first = data[at]
        negative = bool(first & 0x40)
        if first < 0x80:
            return first & 0x3F, negative, at + 1
        magnitude, end = _long_var_uint(data, first & 0x3F, at + 1, 6)
    except IndexError:
        raise truncated(len(data)) from None
    return magnitude, negative, end


def _long_var_uint(data: bytes, value: int, at: int, shift: int) -> tuple[int, int]:
    while shift < _SHIFT_END:
        byte = data[at]
        at += 1
        if byte < 0x80:
            value |= byte << shift
            if byte == 0:
                raise Malformed(f"The integer that ends at byte {at} is not in its shortest form.")
            if value > VAR_UINT_MAX:
                break
            return value, at
        value |= (byte & 0x7F) << shift
        shift += 7
    raise Malformed(f"The integer that ends at byte {at} has more than 53 bits.")


class Reader:
    """Reads one byte string from its start to its end; `position` is the offset of the next byte.

    It is for what is read seldom. What comes with every keystroke is read by the functions above, at half the cost.
    """

    __slots__ = ("_data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self._data = data
        self.position = position

    def var_uint(self) -> int:
        """Return an unsigned integer of at most 53 bits in its shortest form."""
        value, self.position = var_uint_at(self._data, self.position)
        return value

    def var_bytes(self) -> bytes:
        """Return a byte string that is preceded by its length."""
        value, self.position = var_bytes_at(self._data, self.position)
        return value

    def var_string(self, bytes_max: int = VAR_UINT_MAX) -> str:
        """Return a text that is preceded by its length in bytes of UTF-8.

        Raises:
            TooLarge: its length is above `bytes_max`.

        """
        length, _ = var_uint_at(self._data, self.position)
        if length > bytes_max:
            raise TooLarge(f"A text of {length} bytes where {bytes_max} are allowed.")
        value, self.position = var_string_at(self._data, self.position)
        return value

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self._data)

    def end(self) -> None:
        """Demand that nothing is left: a frame holds exactly one message.

        Raises:
            Malformed: bytes follow.

        """
        end_at(self._data, self.position)


def end_at(data: bytes, at: int) -> None:
    """Demand that nothing is left behind `at`.

    Raises:
        Malformed: bytes follow.

    """
    if at < len(data):
        raise Malformed(f"{len(data) - at} bytes follow the end of the message.")


def truncated(at: int) -> Malformed:
    """Return the error for bytes that end in the middle of a value."""
    return Malformed(f"The bytes end at {at}, in the middle of a value.")


def _overrun(length: int, start: int, size: int) -> Malformed:
    return Malformed(f"{length} bytes are announced at byte {start}, {size - start} are there.")


def var_uint(value: int) -> bytes:
    """Write an unsigned integer in its shortest form."""
    if value < 0x80:
        assert value >= 0
        return bytes((value,))
    if value < 0x4000:
        return bytes((0x80 | value & 0x7F, value >> 7))
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
