"""`/docs`: the HTTP interface, written from its own OpenAPI document, without anybody else's scripts."""

from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse

_CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}td{vertical-align:top}"
)

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def show(request: Request) -> Response:
    """List every route with its parameters and the fields of its body."""
    document = request.app.openapi()
    operations = [
        _operation(method, path, described, document)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>HTTP interface</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(document['info']['title'])}</h1>"
        f'<p>The same for machines: <a href="/openapi.json">OpenAPI</a>.</p>{"".join(operations)}</body></html>'
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY})


def _operation(method: str, path: str, described: dict[str, Any], document: dict[str, Any]) -> str:
    rows = [
        (each["in"], each["name"], each.get("required", False), each.get("description", ""))
        for each in described.get("parameters", [])
    ]
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    body = document.get("components", {}).get("schemas", {}).get(str(schema.get("$ref", "")).rpartition("/")[2], {})
    for name, field in body.get("properties", {}).items():
        rows.append(("body", name, name in body.get("required", ()), field.get("description", "")))
    cells = "".join(
        f"<tr><td>{escape(place)}</td><td><code>{escape(name)}</code></td>"
        f"<td>{'needed' if needed else ''}</td><td>{escape(text)}</td></tr>"
        for place, name, needed, text in rows
    )
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(described.get('description', ''))}</p><table>{cells}</table>"
    )
