"""The one plain page at `/`: the tickets that the caller may see, each with its stage and why. Changes no ticket.

Signing in keeps the caller's own token in a cookie that scripts cannot read and other sites cannot send; only this page
reads it, so it gives no other site a hand on the API.
"""

from collections.abc import Sequence
from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from crdt_sync.domain.access import Principal
from crdt_sync.domain.lifecycle.phrases import Language
from crdt_sync.errors import CallerError, TicketSyncError, Unauthenticated
from crdt_sync.ports import TicketFilter
from crdt_sync.server.auth import bearer
from crdt_sync.server.problems import note
from crdt_sync.server.requests import LifecyclesPort, TicketsPort, check_origin, identify
from crdt_sync.service.lifecycles import Lifecycles
from crdt_sync.service.tickets import Tickets
from crdt_sync.service.views import Explained
from crdt_sync.wire.status import status_of

COOKIE = "crdt_sync_token"
SHOWN_MAX = 50  # each ticket is explained, which reads its journal


_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Tickets",
        "sign_in": "Sign in",
        "sign_out": "Sign out",
        "token": "Token",
        "hint": "Paste the token that crdt-sync token printed.",
        "none": "No tickets yet.",
        "who": "{actor} of {department}",
        "other": "中文",
        "more": "The first {count} are shown.",
    },
    "zh": {
        "title": "工单",
        "sign_in": "登录",
        "sign_out": "退出",
        "token": "令牌",
        "hint": "粘贴 crdt-sync token 打印的令牌。",
        "none": "还没有工单。",
        "who": "{department} 的 {actor}",
        "other": "English",
        "more": "仅显示前 {count} 个。",
    },
}

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
header{display:flex;gap:1rem;align-items:baseline;justify-content:space-between}
article{border:1px solid #ccc;border-radius:.4rem;padding:.5rem 1rem;margin:1rem 0}
article h2{font-size:1.1rem;margin:.2rem 0} code{color:#555;overflow-wrap:anywhere}
.attention,.compensation{border-left:.4rem solid #c60} [role=alert]{color:#a00}
"""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def show(request: Request, tickets: TicketsPort, lifecycles: LifecyclesPort) -> Response:
    """Show the tickets, or the form to sign in with."""
    language = _language(request)
    try:
        identity = await identify(request, bearer(request.headers.get("authorization")) or request.cookies.get(COOKIE))
        shown = await _tickets(identity.principal, tickets, lifecycles, language)
    except Unauthenticated as error:
        presented = error.code != "token_missing"
        if presented:
            note(request.scope, error.code)
        return _page(language, _form(language, error if presented else None), status=401 if presented else 200)
    except TicketSyncError as error:
        note(request.scope, error.code)
        return _page(language, _alert(error), status=status_of(error).http)
    return _page(language, shown)


@router.post("/")
async def sign_in_or_out(request: Request) -> Response:
    """Keep the token that the form sent, or forget the one that was kept if the form sent none."""
    language = _language(request)
    answer = RedirectResponse(f"/?lang={language}", status_code=303)
    try:
        check_origin(request, request.app.state.origins)
        token = _posted_token(await request.body())
        if not token:
            answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
            return answer
        identity = await identify(request, token)
    except TicketSyncError as error:
        note(request.scope, error.code)
        return _page(language, _form(language, error), status=status_of(error).http)
    lifetime_s = None
    if identity.expires_at_ms is not None:
        lifetime_s = max(0, (identity.expires_at_ms - request.app.state.clock.now_ms()) // 1000)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token, max_age=lifetime_s, httponly=True, samesite="strict", secure=secure)
    return answer


def _posted_token(body: bytes) -> str:
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=8).get("token", [""])[0].strip()
    except ValueError as error:
        raise CallerError("The form does not decode.", code="malformed") from error


def _language(request: Request) -> Language:
    """Take what the address says, else the first of our languages that the browser names."""
    chosen = request.query_params.get("lang") or request.headers.get("accept-language", "")
    for each in chosen.lower().split(","):
        if each.strip().startswith("zh"):
            return "zh"
        if each.strip().startswith("en"):
            return "en"
    return "en"


async def _tickets(principal: Principal, tickets: Tickets, lifecycles: Lifecycles, language: Language) -> str:
    words = _WORDS[language]
    where = TicketFilter(department=principal.department, tickets=principal.tickets)
    page = await tickets.list(principal, where, limit=SHOWN_MAX)
    who = words["who"].format(actor=principal.actor, department=principal.department)
    articles = [
        _article(await tickets.explain(principal, each.id, language), lifecycles, language) for each in page.tickets
    ]
    leave = (
        f'<form method="post" action="/?lang={language}"><span>{escape(who)}</span> '
        f"<button>{words['sign_out']}</button></form>"
    )
    more = f"<p>{words['more'].format(count=SHOWN_MAX)}</p>" if page.next is not None else ""
    return leave + ("".join(articles) or f"<p>{words['none']}</p>") + more


def _article(explained: Explained, lifecycles: Lifecycles, language: Language) -> str:
    ticket = explained.ticket
    lifecycle = lifecycles.by_digest(ticket.lifecycle)
    lanes = ", ".join(
        f"{lifecycle.label(lane, language)}: {lifecycle.label(f'{lane}.{state}', language)}"
        for lane, state in ticket.lanes.items()
    )
    title = str(ticket.card.get("title") or ticket.id)
    return (
        f'<article class="{escape(ticket.kind)}"><h2>{escape(title)}: '
        f"{escape(lifecycle.label(ticket.stage, language))}</h2>"
        f"<p>{escape(lanes)}</p>{_lines(explained.lines)}<code>{escape(ticket.id)}</code></article>"
    )


def _lines(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _form(language: Language, error: TicketSyncError | None) -> str:
    words = _WORDS[language]
    return (
        f'{_alert(error) if error else ""}<form method="post" action="/?lang={language}" autocomplete="off">'
        f'<p><label>{words["token"]} <input type="password" name="token" required></label> '
        f"<button>{words['sign_in']}</button></p><p>{words['hint']}</p></form>"
    )


def _alert(error: TicketSyncError) -> str:
    return f'<p role="alert">{escape(error.message)} {escape(error.advice)}</p>'


def _page(language: Language, content: str, *, status: int = 200) -> Response:
    words, other = _WORDS[language], "en" if language == "zh" else "zh"
    html = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{words["title"]}</title><style>{_STYLE}</style>'
        f'</head><body><header><h1>{words["title"]}</h1><a href="/?lang={other}">{words["other"]}</a></header>'
        f"<main>{content}</main></body></html>"
    )
    headers = {"Content-Security-Policy": _CONTENT_SECURITY_POLICY, "Vary": "Accept-Language, Cookie, Authorization"}
    return HTMLResponse(html, status, headers=headers)
