from crdt_sync.rpc.ticketsync.v1 import sync_pb2 as _sync_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WatchRequest(_message.Message):
    __slots__ = ("after_position", "token")
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    after_position: int
    token: _sync_pb2.Token
    def __init__(self, after_position: _Optional[int] = ..., token: _Optional[_Union[_sync_pb2.Token, _Mapping]] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("events", "position", "token_request")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_REQUEST_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedScalarFieldContainer[str]
    position: int
    token_request: _sync_pb2.TokenRequest
    def __init__(self, events: _Optional[_Iterable[str]] = ..., position: _Optional[int] = ..., token_request: _Optional[_Union[_sync_pb2.TokenRequest, _Mapping]] = ...) -> None: ...
