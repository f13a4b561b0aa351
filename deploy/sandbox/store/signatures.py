"""The two signatures Shopify makes: webhook bodies and app proxy queries."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode

OURS = frozenset({"shop", "logged_in_customer_id", "path_prefix", "timestamp", "signature"})


def body_signature(body: bytes, *, secret: str) -> str:
    """Sign a webhook's raw bytes."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def query_signature(pairs: list[tuple[str, str]], *, secret: str) -> str:
    """Sign decoded query pairs: repeated names joined by commas, sorted, nothing in between."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    message = "".join(sorted(f"{name}={','.join(found)}" for name, found in values.items()))
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def signed_query(
    query: str, *, shop: str, customer: str, prefix: str, timestamp: int, secret: str
) -> str:
    """Return the caller's query with Shopify's own parameters; a caller cannot supply those."""
    pairs = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name not in OURS
    ]
    pairs += [
        ("shop", shop),
        ("logged_in_customer_id", customer),
        ("path_prefix", prefix),
        ("timestamp", str(timestamp)),
    ]
    return urlencode([*pairs, ("signature", query_signature(pairs, secret=secret))])
