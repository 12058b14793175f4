from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AckStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACK_STATUS_UNSPECIFIED: _ClassVar[AckStatus]
    ACK_STATUS_OK: _ClassVar[AckStatus]
    ACK_STATUS_PERMISSION_DENIED: _ClassVar[AckStatus]
    ACK_STATUS_INVALID_UPDATE: _ClassVar[AckStatus]
    ACK_STATUS_PAYLOAD_TOO_LARGE: _ClassVar[AckStatus]
    ACK_STATUS_RATE_LIMITED: _ClassVar[AckStatus]
    ACK_STATUS_UNAVAILABLE: _ClassVar[AckStatus]
ACK_STATUS_UNSPECIFIED: AckStatus
ACK_STATUS_OK: AckStatus
ACK_STATUS_PERMISSION_DENIED: AckStatus
ACK_STATUS_INVALID_UPDATE: AckStatus
ACK_STATUS_PAYLOAD_TOO_LARGE: AckStatus
ACK_STATUS_RATE_LIMITED: AckStatus
ACK_STATUS_UNAVAILABLE: AckStatus

class ClientFrames(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[ClientFrame]
    def __init__(self, frames: _Optional[_Iterable[_Union[ClientFrame, _Mapping]]] = ...) -> None: ...

class ClientFrame(_message.Message):
    __slots__ = ("document", "open", "leave", "step1", "step2", "update", "awareness", "token")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    STEP1_FIELD_NUMBER: _ClassVar[int]
    STEP2_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    AWARENESS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    document: str
    open: Open
    leave: Leave
    step1: bytes
    step2: Update
    update: Update
    awareness: bytes
    token: Token
    def __init__(self, document: _Optional[str] = ..., open: _Optional[_Union[Open, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ..., step1: _Optional[bytes] = ..., step2: _Optional[_Union[Update, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., awareness: _Optional[bytes] = ..., token: _Optional[_Union[Token, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Leave(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Token(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("data", "batch_id")
    DATA_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    batch_id: bytes
    def __init__(self, data: _Optional[bytes] = ..., batch_id: _Optional[bytes] = ...) -> None: ...

class ServerFrames(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[ServerFrame]
    def __init__(self, frames: _Optional[_Iterable[_Union[ServerFrame, _Mapping]]] = ...) -> None: ...

class ServerFrame(_message.Message):
    __slots__ = ("document", "opened", "closed", "step1", "step2", "update", "ack", "awareness", "token_request")
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    STEP1_FIELD_NUMBER: _ClassVar[int]
    STEP2_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    AWARENESS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_REQUEST_FIELD_NUMBER: _ClassVar[int]
    document: str
    opened: Opened
    closed: Closed
    step1: bytes
    step2: bytes
    update: bytes
    ack: Ack
    awareness: bytes
    token_request: TokenRequest
    def __init__(self, document: _Optional[str] = ..., opened: _Optional[_Union[Opened, _Mapping]] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ..., step1: _Optional[bytes] = ..., step2: _Optional[bytes] = ..., update: _Optional[bytes] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., awareness: _Optional[bytes] = ..., token_request: _Optional[_Union[TokenRequest, _Mapping]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("read_only",)
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    read_only: bool
    def __init__(self, read_only: _Optional[bool] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class TokenRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ack(_message.Message):
    __slots__ = ("batch_id", "status", "code", "message", "position")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    batch_id: bytes
    status: AckStatus
    code: str
    message: str
    position: int
    def __init__(self, batch_id: _Optional[bytes] = ..., status: _Optional[_Union[AckStatus, str]] = ..., code: _Optional[str] = ..., message: _Optional[str] = ..., position: _Optional[int] = ...) -> None: ...
