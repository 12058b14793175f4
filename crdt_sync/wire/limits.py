"""The numbers that bound what the outside may send or make us hold, each with its reason.

Only numbers live here; the code that enforces one says which error it raises. A limit with one user may stand beside
it; `tests/integration/test_limits.py` lists those as well.
"""

KIB = 1024
MIB = 1024 * KIB

VAR_UINT_MAX = 2**53 - 1
"""The largest integer that JavaScript holds exactly; lib0 writes none above it."""

CLOCK_MAX = 2**31 - 1
"""A clock or a length of Yjs. yrs keeps 32 bits; half of that leaves no sum of two that overflows."""

ANY_DEPTH_MAX = 16
"""Nesting of one value. Decoders recurse, so unbounded nesting is a crash that a client could send."""

FRAME_BYTES_MAX = 4 * MIB
"""One WebSocket message or one gRPC batch: the largest document that a client may write, and room for framing."""

BATCH_FRAMES_MAX = 5_000
"""Frames of one gRPC message: all documents of a stream, opened and asked for at once, and ten frames each. The event
loop waits for all of them; a question about a large document costs some milliseconds, and its answer is written, or not
taken, before the next is made."""

MESSAGE_S = 120
"""Seconds for one WebSocket message from its first byte to its last: a full one on a bad line, 280 kbit/s."""

PARTIAL_BYTES_MAX = 64 * FRAME_BYTES_MAX
"""Held of messages that have not ended, all sockets' together; beyond it, whoever takes the longest is sent away."""

ADDRESS_BYTES_MAX = 512
"""A Hocuspocus address: a document name (256 bytes at most) and a session id, which the provider makes of 11."""

TOKEN_BYTES_MAX = 8 * KIB
"""What common proxies allow in one header line; a token that passes in-band passes there too."""

TEXT_BYTES_MAX = 16 * KIB
"""Any other text of a frame: reasons, versions, stateless payloads."""

UPDATE_BYTES_MAX = 3 * MIB
"""One update; a whole document written offline comes as one, so it equals `DOCUMENT_BYTES_MAX`."""

UPDATE_STRUCTS_MAX = 16_384
"""Structs, and ranges of deletions, in one update: more than a book that was typed offline leaves. The loop waits for
all of them, some 15 microseconds each."""

DOCUMENT_CLIENTS_MAX = 16_384
"""Clients that ever wrote one document, which everybody who opens it is told of: each session leaves one behind."""

STATE_VECTOR_CLIENTS_MAX = 2 * DOCUMENT_CLIENTS_MAX
"""Clients in one state vector: those of a document, and as many again that the service has not heard of."""

DOCUMENT_BYTES_MAX = 3 * MIB
"""State of one document that clients write: loading it stays far below a second and sending it fits one frame."""

TRANSITION_BYTES_MAX = 4 * KIB
"""One transition's canonical record in UTF-8: ids of 32 parents are 1,760 bytes, the rest is names."""

MESSAGE_BYTES_MAX = 64 * KIB
"""One chat message's canonical record in UTF-8: no supported platform carries a longer text."""

MEDIA_BYTES_MAX = 20 * MIB
"""One picture, recording or file of a conversation: as much as WeCom and DingTalk take, and twice what WeChat does."""

MEDIA_PIECE_BYTES = 256 * KIB
"""Contents are stored and read in pieces of so much: what one upload or reader holds of memory, and what one commit
adds to the wait of everybody else, some milliseconds."""

MEDIA_TICKET_BYTES_MAX = 512 * MIB
"""Contents of one ticket together: hundreds of photographs; a conversation that needs more is used as a disk."""

MEDIA_AUTHOR_BYTES_MAX = 2 * 1024 * MIB
"""Contents that one person, or one account of a channel, brings within `MEDIA_QUOTA_S`: ten thousand photographs as
chat platforms shrink them. It bounds what a flood may put on the disk until somebody looks."""

MEDIA_QUOTA_S = 86_400
"""A day, over which an author's contents are counted."""

MEDIA_UPLOADS_MAX = 2
"""Uploads of one person, or of one account of a channel, that are under way at once: 40 MiB of pieces at worst that no
quota counts yet."""

MEDIA_UPLOAD_S = 120
"""Seconds for one upload over HTTP: 20 MiB on a bad line, 1.4 Mbit/s."""

MEDIA_AWAITED_S = 3_600
"""Seconds for which an answer waits, once it was admitted, for a content that it names and nobody has uploaded: a slow
line's worth of pictures after a day without one. What follows in its conversation waits with it."""

MEDIA_UNUSED_S = 86_400
"""Seconds for which a content is kept that no message names yet: whoever uploads it sends it within the day, a replica
that goes offline in between included."""

SUBMIT_ENTRIES_MAX = 10_000
"""Entries of one `submit` document: a department that did more on one ticket is a runaway loop."""

CARD_KEYS_MAX = 64
"""Keys of a card: four fields, one assignee a lane, and a hold of everybody who took it at once."""

CARD_TEXT_BYTES_MAX = 1 * KIB
"""One text of a card: a title is a line, not a page; it is copied into every ticket list."""

FIELD_KEY_LENGTH_MAX = 64
"""A field's key or a lane in `assignee.{lane}`, in characters."""

FORM_FIELDS_MAX = 256
"""Keys of a form's `fields`: more than a screen ever shows."""

FIELD_TEXT_BYTES_MAX = 8 * KIB
"""One text in `fields`; longer text belongs into `notes`."""

PAYLOAD_BYTES_MAX = 64 * KIB
"""One sealed payload in UTF-8: data of a transition, not a file."""

FORM_PAYLOADS_MAX = 1_000
"""Payloads of one form: one for each transition of a long-lived lane."""

DOCUMENTS_PER_SOCKET_MAX = 500
"""Open documents of one socket or stream: 100 tickets on a screen with all five kinds."""

UNAUTHENTICATED_BYTES_MAX = 1 * MIB
"""Held for one socket before its token is judged: a provider sends its first edits without waiting."""

OPENING_BYTES_MAX = 2 * FRAME_BYTES_MAX
"""Held for one document while it is loaded for a client whose token was judged: all it wrote offline, and more."""

OPENING_CONNECTION_BYTES_MAX = 4 * OPENING_BYTES_MAX
"""Held for all documents of one connection that are being loaded: it may open `DOCUMENTS_PER_SOCKET_MAX` of them, and
comes back with 64 KiB written offline for each."""

UNAUTHENTICATED_MESSAGES_MAX = 1_000
"""Messages held before authentication: small ones cost more than their bytes."""

SOURCE_HANDSHAKES_MAX = 24_000
"""Handshakes of one address at once. A whole office stands behind one: 12,000 clients that come back at the same moment
when the service was restarted, and once more if it is restarted again."""

SOURCE_HANDSHAKES_PER_S_MAX = 200
"""More of them each second. One costs some 0.3 ms of the event loop, so that a hostile address takes a sixteenth of it;
an office that has used up its 24,000 is back after some seconds a thousand, and each is told when to come."""

ACTOR_HANDSHAKES_MAX = 1_000
"""Handshakes of one person at once: y-websocket opens a socket a document, and two screens of
`DOCUMENTS_PER_SOCKET_MAX` documents come back together when the service was restarted."""

ACTOR_HANDSHAKES_PER_S_MAX = 10
"""More of them each second: a person who opens ticket after ticket needs one or two. A client that comes a hundred
times a second is refused after eleven seconds, and from then on nine times of ten."""

ACTOR_REQUESTS_MAX = 5_000
"""Requests of one person at once, on REST and in unary calls of gRPC: some for each of a thousand tickets."""

ACTOR_REQUESTS_PER_S_MAX = 100
"""More of them each second: a console that shows everything it has asks for less. One costs some 2 ms of the event
loop, so that a hostile person takes a fifth of it."""

SOURCE_SIGN_INS_MAX = 100
"""Wrong passwords of one address at once: an office on a Monday. One costs 64 MiB and some 50 ms of two cores."""

SOURCE_SIGN_INS_PER_S_MAX = 0.2
"""More of them each second: 17,000 guesses a day from one address, over all names."""

NAME_SIGN_INS_MAX = 10
"""Wrong passwords for one name at once, from anywhere: more than a person tries who has forgotten it."""

NAME_SIGN_INS_PER_S_MAX = 1 / 30
"""More of them each second: 2,900 guesses a day, of which a password of twelve characters takes no notice. Whoever is
locked out by somebody else's guessing waits half a minute for each attempt, and keeps the sessions that are open."""

UNAUTHENTICATED_S = 10
"""Seconds from the open socket to a judged token; a phone on a bad line needs a few."""

STALLED_S = 30
"""Seconds in which a reader of answers or events takes what was written, some 64 KiB; 2 KiB a second is a bad line."""

TOKEN_GRACE_S = 60
"""Seconds between asking for a fresh token and closing the session: time for a sign-in service to answer."""

GAP_UPDATES_MAX = 100
"""Updates of one session and document that wait for a missing one; real gaps fill within one round trip."""

GAP_BYTES_MAX = 1 * MIB
"""Bytes of those updates."""

GAP_S = 30
"""Seconds that they may wait: a client that has not answered step 1 by then will not."""

COMMIT_QUEUE_BYTES_MAX = 32 * MIB
"""Changes that wait for their commit, all clients' together: what the store writes in some seconds. Beyond it, who sent
what waits is not read until half of it is written."""

CHANGE_OVERHEAD_BYTES = 1 * KIB
"""What a waiting change costs beside its bytes, so that many small ones count for what they are."""

SEND_QUEUE_FRAMES_MAX = 10_000
"""Frames waiting for a slow reader; past it the queue collapses to "needs a diff"."""

SEND_QUEUE_BYTES_MAX = 8 * MIB
"""Bytes waiting for a slow reader: two full frames."""

PRESENCE_STATE_BYTES_MAX = 4 * KIB
"""One client's presence as JSON: a name, a colour, a cursor."""

AWARENESS_STATES_MAX = 1_024
"""States in one awareness message: a room's full snapshot."""

AWARENESS_IDS_PER_CONNECTION_MAX = 8
"""Presence ids that one subscription may introduce: it has one, and a few more after reloads in one tab."""

AWARENESS_AWAY_MAX = 64
"""Presence ids of one person that a room remembers after they left, so that nobody else takes them: a day's reloads of
a page. Whoever uses up more makes the room forget ids of his own and of nobody else."""

PRESENCE_MESSAGES_PER_S_MAX = 50
"""How often what one subscription says of its presence is relayed: a moving cursor sends about 20. What comes sooner
waits for its moment, the latest state only."""
