"""Is this from Shopify? Webhook digests and app-proxy signatures, over raw bytes. Pure.

Rules: shopify.dev "Verify deliveries" and "Authenticate app proxies"; where the official libraries
were hardened later (repeated parameters, timestamps that are no integers), so is this.
"""

import base64
import hashlib
import hmac
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

CLOCK_SKEW_SECONDS = 90
_ONCE = ("signature", "shop", "timestamp", "logged_in_customer_id", "path_prefix")
_SHOP = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
_DIGITS = re.compile(r"[0-9]{1,15}")


class BadSignature(Exception):
    """The request does not prove that it comes from Shopify."""


@dataclass(frozen=True, slots=True)
class ProxyCaller:
    """Who calls through the app proxy; no customer where nobody is logged in."""

    shop: str
    customer_id: int | None


def webhook_is_signed(body: bytes, digest: str | None, secrets: Sequence[str]) -> bool:
    """Tell whether one of the secrets (the current, or one before a rotation) signed the body."""
    if digest is None:
        return False
    given = digest.encode("utf-8", "surrogateescape")
    return any(
        hmac.compare_digest(base64.b64encode(_digest(secret, body)), given)
        for secret in secrets
        if secret
    )


def proxy_signature(query: str, secret: str) -> str:
    """Return the signature that Shopify's app proxy puts on a query string.

    Raises `BadSignature` for a query that is ambiguous.
    """
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name].append(value)
    for name in _ONCE:
        if len(values.get(name, ())) > 1:
            raise BadSignature(f"{name} stands more than once in the query")
    values.pop("signature", None)
    pairs = sorted(f"{name}={','.join(several)}" for name, several in values.items())
    return _digest(secret, "".join(pairs).encode()).hex()


def proxy_caller(query: str, *, secrets: Sequence[str], now_seconds: float) -> ProxyCaller:
    """Return who calls through the app proxy; raises `BadSignature`."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    signature = given.get("signature", "").encode("utf-8", "surrogateescape")
    signed = [proxy_signature(query, secret).encode() for secret in secrets if secret]
    if not any(hmac.compare_digest(each, signature) for each in signed):
        raise BadSignature("the app proxy's signature does not match")
    timestamp = given.get("timestamp", "")
    if not _DIGITS.fullmatch(timestamp):
        raise BadSignature("the app proxy's timestamp is no number")
    if abs(now_seconds - int(timestamp)) > CLOCK_SKEW_SECONDS:
        raise BadSignature(f"the request is more than {CLOCK_SKEW_SECONDS} s away from our clock")
    shop = given.get("shop", "")
    if not _SHOP.fullmatch(shop):
        raise BadSignature("the app proxy names no shop")
    customer = given.get("logged_in_customer_id", "")
    if customer and not _DIGITS.fullmatch(customer):
        raise BadSignature("the customer id is no number")
    return ProxyCaller(shop, int(customer) if customer else None)


def _digest(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()
