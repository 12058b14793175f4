"""People of a DingTalk organisation sign in, by DingTalk's OAuth 2.0 page. Facts: docs/how-to/sign-in.md.

DingTalk has neither PKCE nor a signed token: that a code is this browser's follows from `state` alone, and who came is
asked for, with the application's secret.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from crdt_sync.server.provider_settings import DingTalkSettings
from crdt_sync.server.providers import Pending, ask, refused

_HEADER = "x-acs-dingtalk-access-token"
_INSIDE = 0  # a `contact_type`: 1 is somebody outside whom the organisation knows


class DingTalkProvider:
    """One internal application of one organisation."""

    def __init__(self, settings: DingTalkSettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def address(self, pending: Pending) -> str:
        """Return DingTalk's page."""
        query = {
            "redirect_uri": pending.redirect_uri,
            "response_type": "code",
            "client_id": self._settings.client_id,
            "scope": "openid corpid",
            "corpId": self._settings.corp_id,
            "state": pending.state,
            "prompt": "consent",
        }
        return f"{self._settings.login}/oauth2/auth?{urlencode(query, quote_via=quote)}"

    async def vouch(self, code: str, pending: Pending) -> Mapping[str, object]:  # noqa: ARG002 (the port's)
        """Ask who came with the code, and then which of the organisation's people that is.

        `sub` and `userid` are the person's id in the organisation, `dept_id` the ids of their departments there.
        """
        app = {"clientId": self._settings.client_id, "clientSecret": self._settings.client_secret()}
        granted = await self._api("POST", "oauth2/userAccessToken", {**app, "code": code, "grantType": _BY_CODE})
        if granted.get("corpId") != self._settings.corp_id:
            raise refused("another organisation was chosen")
        me = await self._api("GET", "contact/users/me", token=_text(granted, "accessToken"))
        of_app = {"appKey": app["clientId"], "appSecret": app["clientSecret"]}
        token = _text(await self._api("POST", "oauth2/accessToken", of_app), "accessToken")
        found = await self._former("user/getbyunionid", token, {"unionid": _text(me, "unionId")})
        if found.get("contact_type") != _INSIDE:
            raise refused("you are not of its organisation")
        person = _text(found, "userid")
        known = await self._former("v2/user/get", token, {"userid": person})
        return {"sub": person, "userid": person, "dept_id": known.get("dept_id_list"), "name": known.get("name")}

    async def _api(
        self, method: str, path: str, body: Mapping[str, object] | None = None, *, token: str | None = None
    ) -> Mapping[str, Any]:
        headers = {} if token is None else {_HEADER: token}
        url = f"{self._settings.api}/v1.0/{path}"
        status, answer = await ask(self._client, method, url, json=body, headers=headers)
        if status != 200:
            raise refused(f"DingTalk says {str(answer.get('code'))[:60]!r}")
        return answer

    async def _former(self, path: str, token: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        url, query = f"{self._settings.former_api}/topapi/{path}", {"access_token": token}
        status, answer = await ask(self._client, "POST", url, params=query, json=body)
        result = answer.get("result")
        if status != 200 or answer.get("errcode") != 0 or not isinstance(result, dict):
            raise refused(f"DingTalk says {str(answer.get('errcode'))[:60]!r}")
        return result


_BY_CODE = "authorization_code"


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise refused(f"DingTalk does not say {name}")
    return value
