"""SMS over HTTP: `POST <url>/messages` with `{"to", "from", "text"}`; simulators/messages is such a gateway.

Signed with the key that both sides have: `Sms-Signature: t=<seconds since 1970>,v1=<hex>`, HMAC-SHA256 of
`<t>.<body>`. `Idempotency-Key` is the same at each try of a message.
"""

import hashlib
import hmac
import json
import time

import httpx

from services.orders.messaging import Message, NotSent

# What the gateway may answer otherwise later: to its load, to its faults, and to a key that is still to be mended.
_FOR_NOW = (401, 403, 408, 425, 429)


class HttpSmsSender:
    """One gateway at its address."""

    def __init__(self, *, url: str, api_key: str, sender: str, timeout_seconds: float = 10) -> None:
        """`sender`: a number, or up to 11 letters and digits, as whom customers see it."""
        self._key = api_key.encode()
        self._from = sender
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout_seconds)

    async def send(self, message: Message) -> None:
        """As `Sender` says."""
        # People write +33 (0)6: the zero is for those who call from inside.
        to = "".join(one for one in message.to.replace("(0)", "") if one not in " .-()/")
        if not (to.removeprefix("+").isascii() and to.removeprefix("+").isdigit() and 4 <= len(to) <= 16):
            raise NotSent("bad_number", is_final=True)
        body = json.dumps({"to": to, "from": self._from, "text": message.text}).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.key,
            "Sms-Signature": signature(body, self._key, int(time.time())),
        }
        try:
            answer = await self._http.post("/messages", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotSent(type(error).__name__) from None
        if not answer.is_success:
            is_final = 400 <= answer.status_code < 500 and answer.status_code not in _FOR_NOW
            raise NotSent(f"http_{answer.status_code}", is_final=is_final)

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()


def signature(body: bytes, key: bytes, at: int) -> str:
    """Of what is posted at this second."""
    return f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
