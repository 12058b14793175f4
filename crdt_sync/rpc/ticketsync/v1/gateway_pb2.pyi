from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IngestStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INGEST_STATUS_UNSPECIFIED: _ClassVar[IngestStatus]
    INGEST_STATUS_ACCEPTED: _ClassVar[IngestStatus]
    INGEST_STATUS_DUPLICATE: _ClassVar[IngestStatus]
    INGEST_STATUS_REJECTED: _ClassVar[IngestStatus]
    INGEST_STATUS_RETRY_LATER: _ClassVar[IngestStatus]

class DeliveryOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_OUTCOME_UNSPECIFIED: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_BEGUN: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_SENT: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_RETRY: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_UNKNOWN: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_WINDOW_CLOSED: _ClassVar[DeliveryOutcome]
    DELIVERY_OUTCOME_DEAD: _ClassVar[DeliveryOutcome]
INGEST_STATUS_UNSPECIFIED: IngestStatus
INGEST_STATUS_ACCEPTED: IngestStatus
INGEST_STATUS_DUPLICATE: IngestStatus
INGEST_STATUS_REJECTED: IngestStatus
INGEST_STATUS_RETRY_LATER: IngestStatus
DELIVERY_OUTCOME_UNSPECIFIED: DeliveryOutcome
DELIVERY_OUTCOME_BEGUN: DeliveryOutcome
DELIVERY_OUTCOME_SENT: DeliveryOutcome
DELIVERY_OUTCOME_RETRY: DeliveryOutcome
DELIVERY_OUTCOME_UNKNOWN: DeliveryOutcome
DELIVERY_OUTCOME_WINDOW_CLOSED: DeliveryOutcome
DELIVERY_OUTCOME_DEAD: DeliveryOutcome

class IngestRequest(_message.Message):
    __slots__ = ("envelopes",)
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[Envelope]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[Envelope, _Mapping]]] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("idempotency_key", "channel", "account", "conversation", "sent_at", "traceparent", "customer", "agent", "system", "delivery", "unknown", "hears_events", "rule")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    HEARS_EVENTS_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    channel: str
    account: str
    conversation: str
    sent_at: int
    traceparent: str
    customer: CustomerMessage
    agent: AgentMessage
    system: SystemNotice
    delivery: DeliveryNotice
    unknown: UnknownKind
    hears_events: bool
    rule: str
    def __init__(self, idempotency_key: _Optional[str] = ..., channel: _Optional[str] = ..., account: _Optional[str] = ..., conversation: _Optional[str] = ..., sent_at: _Optional[int] = ..., traceparent: _Optional[str] = ..., customer: _Optional[_Union[CustomerMessage, _Mapping]] = ..., agent: _Optional[_Union[AgentMessage, _Mapping]] = ..., system: _Optional[_Union[SystemNotice, _Mapping]] = ..., delivery: _Optional[_Union[DeliveryNotice, _Mapping]] = ..., unknown: _Optional[_Union[UnknownKind, _Mapping]] = ..., hears_events: _Optional[bool] = ..., rule: _Optional[str] = ...) -> None: ...

class CustomerMessage(_message.Message):
    __slots__ = ("sender", "display_name", "parts")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    sender: str
    display_name: str
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, sender: _Optional[str] = ..., display_name: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class AgentMessage(_message.Message):
    __slots__ = ("sender", "parts")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    sender: str
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, sender: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class SystemNotice(_message.Message):
    __slots__ = ("event", "parts", "about")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    event: str
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    about: str
    def __init__(self, event: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ..., about: _Optional[str] = ...) -> None: ...

class DeliveryNotice(_message.Message):
    __slots__ = ("message", "state")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    message: str
    state: str
    def __init__(self, message: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...

class UnknownKind(_message.Message):
    __slots__ = ("type", "raw")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    type: str
    raw: str
    def __init__(self, type: _Optional[str] = ..., raw: _Optional[str] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("text", "media", "location", "event")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    LOCATION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    text: str
    media: Media
    location: Location
    event: str
    def __init__(self, text: _Optional[str] = ..., media: _Optional[_Union[Media, _Mapping]] = ..., location: _Optional[_Union[Location, _Mapping]] = ..., event: _Optional[str] = ...) -> None: ...

class Media(_message.Message):
    __slots__ = ("type", "platform_id", "url", "name")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    type: str
    platform_id: str
    url: str
    name: str
    def __init__(self, type: _Optional[str] = ..., platform_id: _Optional[str] = ..., url: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Location(_message.Message):
    __slots__ = ("latitude", "longitude", "label")
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    latitude: float
    longitude: float
    label: str
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., label: _Optional[str] = ...) -> None: ...

class IngestResult(_message.Message):
    __slots__ = ("idempotency_key", "status", "ticket", "message", "code", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    status: IngestStatus
    ticket: str
    message: str
    code: str
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., status: _Optional[_Union[IngestStatus, str]] = ..., ticket: _Optional[str] = ..., message: _Optional[str] = ..., code: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class IngestResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[IngestResult]
    def __init__(self, results: _Optional[_Iterable[_Union[IngestResult, _Mapping]]] = ...) -> None: ...

class ClaimRequest(_message.Message):
    __slots__ = ("accounts", "idempotent_accounts", "in_flight_max", "windows")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENT_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_MAX_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedScalarFieldContainer[str]
    idempotent_accounts: _containers.RepeatedScalarFieldContainer[str]
    in_flight_max: int
    windows: _containers.RepeatedCompositeFieldContainer[SendingWindow]
    def __init__(self, accounts: _Optional[_Iterable[str]] = ..., idempotent_accounts: _Optional[_Iterable[str]] = ..., in_flight_max: _Optional[int] = ..., windows: _Optional[_Iterable[_Union[SendingWindow, _Mapping]]] = ...) -> None: ...

class SendingWindow(_message.Message):
    __slots__ = ("account", "duration_ms", "parts_max")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    PARTS_MAX_FIELD_NUMBER: _ClassVar[int]
    account: str
    duration_ms: int
    parts_max: int
    def __init__(self, account: _Optional[str] = ..., duration_ms: _Optional[int] = ..., parts_max: _Optional[int] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("id", "ticket", "message", "index", "channel", "account", "conversation", "part", "attempt", "lease", "leased_until", "heard_at", "sent_since", "traceparent", "author_name")
    ID_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERSATION_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LEASED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    HEARD_AT_FIELD_NUMBER: _ClassVar[int]
    SENT_SINCE_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_NAME_FIELD_NUMBER: _ClassVar[int]
    id: str
    ticket: str
    message: str
    index: int
    channel: str
    account: str
    conversation: str
    part: Part
    attempt: int
    lease: str
    leased_until: int
    heard_at: int
    sent_since: int
    traceparent: str
    author_name: str
    def __init__(self, id: _Optional[str] = ..., ticket: _Optional[str] = ..., message: _Optional[str] = ..., index: _Optional[int] = ..., channel: _Optional[str] = ..., account: _Optional[str] = ..., conversation: _Optional[str] = ..., part: _Optional[_Union[Part, _Mapping]] = ..., attempt: _Optional[int] = ..., lease: _Optional[str] = ..., leased_until: _Optional[int] = ..., heard_at: _Optional[int] = ..., sent_since: _Optional[int] = ..., traceparent: _Optional[str] = ..., author_name: _Optional[str] = ...) -> None: ...

class DeliveryReport(_message.Message):
    __slots__ = ("id", "lease", "outcome", "platform_id", "code", "delay_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DELAY_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    lease: str
    outcome: DeliveryOutcome
    platform_id: str
    code: str
    delay_ms: int
    def __init__(self, id: _Optional[str] = ..., lease: _Optional[str] = ..., outcome: _Optional[_Union[DeliveryOutcome, str]] = ..., platform_id: _Optional[str] = ..., code: _Optional[str] = ..., delay_ms: _Optional[int] = ...) -> None: ...

class DeliveryAck(_message.Message):
    __slots__ = ("leased_until",)
    LEASED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    leased_until: int
    def __init__(self, leased_until: _Optional[int] = ...) -> None: ...

class AttachRequest(_message.Message):
    __slots__ = ("head", "piece")
    HEAD_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    head: AttachHead
    piece: bytes
    def __init__(self, head: _Optional[_Union[AttachHead, _Mapping]] = ..., piece: _Optional[bytes] = ...) -> None: ...

class AttachHead(_message.Message):
    __slots__ = ("account", "idempotency_key", "index", "code")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    account: str
    idempotency_key: str
    index: int
    code: str
    def __init__(self, account: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., index: _Optional[int] = ..., code: _Optional[str] = ...) -> None: ...

class AttachResponse(_message.Message):
    __slots__ = ("content", "code")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    content: MediaContent
    code: str
    def __init__(self, content: _Optional[_Union[MediaContent, _Mapping]] = ..., code: _Optional[str] = ...) -> None: ...

class MediaContent(_message.Message):
    __slots__ = ("digest", "size", "type")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size: int
    type: str
    def __init__(self, digest: _Optional[str] = ..., size: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...

class FetchRequest(_message.Message):
    __slots__ = ("delivery",)
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    delivery: str
    def __init__(self, delivery: _Optional[str] = ...) -> None: ...

class FetchResponse(_message.Message):
    __slots__ = ("content", "piece")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    content: MediaContent
    piece: bytes
    def __init__(self, content: _Optional[_Union[MediaContent, _Mapping]] = ..., piece: _Optional[bytes] = ...) -> None: ...
