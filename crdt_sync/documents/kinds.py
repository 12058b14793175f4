"""Which class holds which kind of document."""

from crdt_sync.documents.card import CardDocument
from crdt_sync.documents.document import Document
from crdt_sync.documents.form import FormDocument
from crdt_sync.documents.log import LogDocument
from crdt_sync.documents.submit import SubmitDocument
from crdt_sync.documents.talk import TalkDocument
from crdt_sync.domain.ids import DocumentKind

_CLASSES: dict[DocumentKind | None, type[Document]] = {
    None: Document,
    DocumentKind.LOG: LogDocument,
    DocumentKind.TALK: TalkDocument,
    DocumentKind.SUBMIT: SubmitDocument,
    DocumentKind.FORM: FormDocument,
    DocumentKind.CARD: CardDocument,
}


def new_document(kind: DocumentKind | None, client_id: int) -> Document:
    """Return an empty document of a kind; None is a document without rules."""
    return _CLASSES[kind](client_id)
