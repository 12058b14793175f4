"""What is logged, and what never is: tokens are struck from every line, also from those of the libraries."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

STRUCK = "[struck]"

_SECRET_FIELDS = frozenset({"token", "authorization", "cookie", "set-cookie", "secret", "database_url"})
_SECRET_TEXT = re.compile(
    r"(?P<name>\btoken=)[^&\s\"']+"  # in a query
    r"|(?P<scheme>\bbearer\s+)[^\s\"',]+"  # in a header
    r"|\beyJ[\w-]*\.[\w-]*\.[\w-]*"  # a JWT anywhere: a JSON object in base64url begins so
    r"|(?P<user>\w://[^/\s:@]*:)[^@\s]+(?=@)",  # a password in a URL
    re.IGNORECASE,
)


def strike(text: str) -> str:
    """Return `text` without the secrets that it shows."""
    return _SECRET_TEXT.sub(lambda found: "".join(filter(None, found.groups())) + STRUCK, text)


def strike_fields(logger: object, method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Strike secrets from a line's fields; a processor of structlog."""
    del logger, method
    for name, value in fields.items():
        if name.lower() in _SECRET_FIELDS:
            fields[name] = STRUCK
        elif isinstance(value, str):
            fields[name] = strike(value)
    return fields


class StrikingFilter(logging.Filter):
    """Strikes secrets from what libraries log: uvicorn writes the whole address of each WebSocket."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; let it pass."""
        record.msg, record.args = strike(record.getMessage()), None
        return True


def guard_libraries() -> None:
    """Strike secrets from the libraries' lines, whoever handles them. Calling it again changes nothing."""
    for name in ("uvicorn.error", "uvicorn.access", "httpx", "grpc"):
        logger = logging.getLogger(name)
        if not any(isinstance(each, StrikingFilter) for each in logger.filters):
            logger.addFilter(StrikingFilter())
    logging.getLogger("alembic").setLevel(logging.WARNING)  # each start would begin with three lines about nothing


def configure(level: str) -> None:
    """Log to standard error: for people on a terminal, else one JSON object a line. For a process of its own."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        strike_fields,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter_processors: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=processors, processors=formatter_processors)
    )
    # The debug lines of libraries show statements and bodies, so they stay off.
    logging.basicConfig(handlers=[handler], level="INFO" if level == "debug" else level.upper(), force=True)
    guard_libraries()
