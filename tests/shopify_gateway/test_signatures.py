"""Is it from Shopify? Known vectors, tampering, clocks, and what independent libraries say."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import shopify
import shopify_app
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_gateway import signatures
from shopify_gateway.signatures import BadSignature, ProxyCaller

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "shopify" / "hmac" / "vectors.json"
KNOWN = json.loads(VECTORS.read_text()) if VECTORS.exists() else []
SHOP, NOW = "birdie-bay.myshopify.com", 1_795_186_800
PLAIN = {"shop": SHOP, "timestamp": str(NOW), "path_prefix": "/apps/studio"}
# Names of which none begins with another: the official library sorts names, the rule sorts pairs.
NAMES = st.sampled_from(["days", "from", "minutes", "coach", "zone[]", "é"])
QUERIES = st.lists(st.tuples(NAMES, st.text("aé=&,% +1", max_size=6)), max_size=6)


def signed(query: str, secret: str = "hush") -> str:
    return f"{query}&signature={signatures.proxy_signature(query, secret)}"


def digest(body: bytes, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def vectors(kind: str, *, valid: bool = True) -> list[Any]:
    found = [
        pytest.param(each, id=each["name"])
        for each in KNOWN
        if each["kind"] == kind and each["expected_valid"] is valid
    ]
    absent = pytest.mark.skip(reason=f"the collected vectors are not here: {VECTORS}")
    return found or [pytest.param(None, marks=absent)]


@pytest.mark.parametrize("vector", vectors("webhook_body"))
def test_a_known_webhook_digest_is_accepted(vector: dict[str, str]) -> None:
    body, secret = vector["body"].encode(), vector["secret"]

    assert signatures.webhook_is_signed(body, vector["expected"], [secret])
    assert not signatures.webhook_is_signed(body + b" ", vector["expected"], [secret])


@pytest.mark.parametrize("vector", vectors("app_proxy"))
def test_a_known_proxy_signature_is_the_one_we_compute(vector: dict[str, str]) -> None:
    found = signatures.proxy_signature(vector["query"], vector["secret"])

    assert found == vector["expected"]


@pytest.mark.parametrize("vector", vectors("app_proxy", valid=False))
def test_a_known_forgery_is_refused(vector: dict[str, str]) -> None:
    query = vector["query"]
    if vector["expected"] is not None:
        query = f"{query}&signature={vector['expected']}"

    with pytest.raises(BadSignature):
        signatures.proxy_caller(query, secrets=[vector["secret"]], now_seconds=1_700_000_000)


@pytest.mark.parametrize("vector", vectors("app_proxy_note"))
def test_pairs_are_sorted_and_not_names(vector: dict[str, str]) -> None:
    assert signatures.proxy_signature(vector["query"], vector["secret"]) == vector["expected"]


def test_a_proxy_signature_is_the_digest_of_the_sorted_pairs() -> None:
    query = (
        "shop=s.myshopify.com&extra=2&extra=1&path_prefix=%2Fapps%2Fstudio&empty=&date=1&date2=2"
    )
    message = "date2=2date=1empty=extra=2,1path_prefix=/apps/studioshop=s.myshopify.com"

    found = signatures.proxy_signature(query, "hush")

    assert found == hmac.new(b"hush", message.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("customer", "known"),
    [("", None), ("&logged_in_customer_id=", None), ("&logged_in_customer_id=77", 77)],
)
def test_the_proxy_proves_the_shop_and_perhaps_a_customer(customer: str, known: int | None) -> None:
    query = signed(urlencode(PLAIN) + customer)

    caller = signatures.proxy_caller(query, secrets=["hush"], now_seconds=NOW)

    assert caller == ProxyCaller(SHOP, known)


@pytest.mark.parametrize("away", [-90, 90])
def test_a_clock_ninety_seconds_off_is_good_enough(away: int) -> None:
    caller = signatures.proxy_caller(
        signed(urlencode(PLAIN)), secrets=["hush"], now_seconds=NOW + away
    )

    assert caller.shop == SHOP


@pytest.mark.parametrize("away", [-90.5, 90.5, 86_400])
def test_a_stale_or_future_query_is_refused(away: float) -> None:
    query = signed(urlencode(PLAIN))

    with pytest.raises(BadSignature, match="90 s away from our clock"):
        signatures.proxy_caller(query, secrets=["hush"], now_seconds=NOW + away)


@pytest.mark.parametrize(
    "timestamp", ["", "Infinity", "-1", "1.5", "1e9", "0x10", "１７９５", "9" * 16, " 1", None]
)
def test_a_timestamp_that_is_no_number_is_refused(timestamp: str | None) -> None:
    given = {**PLAIN, "timestamp": timestamp}
    query = signed(urlencode({name: value for name, value in given.items() if value is not None}))

    with pytest.raises(BadSignature, match="timestamp is no number"):
        signatures.proxy_caller(query, secrets=["hush"], now_seconds=NOW)


@pytest.mark.parametrize(
    "again",
    [
        f"shop={SHOP}",
        f"timestamp={NOW}",
        "path_prefix=%2Fapps%2Fother",
        "logged_in_customer_id=1&logged_in_customer_id=2",
    ],
)
def test_what_must_stand_once_is_refused_twice(again: str) -> None:
    query = f"{urlencode(PLAIN)}&{again}"
    with pytest.raises(BadSignature, match="more than once"):
        signatures.proxy_signature(query, "hush")

    with pytest.raises(BadSignature, match="more than once"):
        signatures.proxy_caller(f"{query}&signature=00", secrets=["hush"], now_seconds=NOW)


def test_two_signatures_are_refused_though_one_is_right() -> None:
    query = signed(urlencode(PLAIN))

    with pytest.raises(BadSignature, match="signature stands more than once"):
        signatures.proxy_caller(f"signature=00&{query}", secrets=["hush"], now_seconds=NOW)


@pytest.mark.parametrize(
    ("tampered", "words"),
    [
        (signed(urlencode(PLAIN)) + "&logged_in_customer_id=7", "does not match"),
        (signed(urlencode(PLAIN)).replace("birdie", "eagle"), "does not match"),
        (signed(urlencode(PLAIN), "guess"), "does not match"),
        (urlencode(PLAIN), "does not match"),
        (urlencode(PLAIN) + "&signature=", "does not match"),
        (urlencode(PLAIN) + "&signature=%C3%A9%F0%9F%98%80", "does not match"),
        (signed(urlencode({**PLAIN, "shop": "evil.com"})), "names no shop"),
        (signed(urlencode({**PLAIN, "shop": f"{SHOP}.evil.com"})), "names no shop"),
        (signed(urlencode({**PLAIN, "shop": f"{SHOP}\n"})), "names no shop"),
        (signed(urlencode({**PLAIN, "logged_in_customer_id": "7x"})), "customer id is no number"),
    ],
)
def test_a_query_that_proves_nothing_is_refused(tampered: str, words: str) -> None:
    with pytest.raises(BadSignature, match=words):
        signatures.proxy_caller(tampered, secrets=["hush"], now_seconds=NOW)


def test_the_secret_before_a_rotation_still_counts() -> None:
    query, body = signed(urlencode(PLAIN), "old"), b'{"id": 1}'

    caller = signatures.proxy_caller(query, secrets=["new", "old"], now_seconds=NOW)

    assert caller.shop == SHOP
    assert signatures.webhook_is_signed(body, digest(body, "old"), ["new", "old"])
    assert not signatures.webhook_is_signed(body, digest(body, "old"), ["new"])
    assert not signatures.webhook_is_signed(body, digest(body, "old"), [])


def test_an_empty_secret_signs_nothing() -> None:
    """A setting that is there but empty must not let anybody in."""
    body, query = b'{"id": 1}', signed(urlencode(PLAIN), "")

    accepted = signatures.webhook_is_signed(body, digest(body, ""), ["hush", ""])

    assert not accepted
    with pytest.raises(BadSignature):
        signatures.proxy_caller(query, secrets=["hush", ""], now_seconds=NOW)


@pytest.mark.parametrize(
    "header",
    [None, "", "é", "\udcff", "=", digest(b"{}", "hush") + " ", digest(b"{}", "hush").lower()],
)
def test_a_digest_header_that_is_not_the_digest_is_refused(header: str | None) -> None:
    assert not signatures.webhook_is_signed(b"{}", header, ["hush"])


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["new", "old", "guess"]))
def test_the_official_library_says_the_same_of_webhooks(text: str, secret: str) -> None:
    body = json.dumps({"note": text}, ensure_ascii=False).encode("utf-8", "replace")
    header = digest(body, secret)
    app = shopify_app.ShopifyApp("id", "new", "old")
    request = {
        "method": "POST",
        "headers": {"X-Shopify-Hmac-SHA256": header, "X-Shopify-Shop-Domain": SHOP},
        "url": "https://studio.example/api/shopify/webhooks",
        "body": body.decode(),
    }

    ours = signatures.webhook_is_signed(body, header, ["new", "old"])

    assert ours == app.verify_webhook_req(request).ok
    assert ours == (secret != "guess")


@settings(max_examples=150, deadline=None)
@given(QUERIES, st.sampled_from(["", "7"]), st.sampled_from(["new", "old", "guess"]))
def test_the_official_library_says_the_same_of_proxy_queries(
    extra: list[tuple[str, str]], customer: str, secret: str
) -> None:
    now = int(time.time())
    pairs = [*extra, ("shop", SHOP), ("timestamp", str(now)), ("logged_in_customer_id", customer)]
    query = signed("&".join(f"{quote(name)}={quote(value)}" for name, value in pairs), secret)
    app = shopify_app.ShopifyApp("id", "new", "old")
    request = {"method": "GET", "headers": {}, "url": f"https://x.example/api?{query}", "body": ""}

    try:
        ours = signatures.proxy_caller(query, secrets=["new", "old"], now_seconds=now).shop
    except BadSignature:
        ours = None

    theirs = app.verify_app_proxy_req(request)
    assert (ours is not None) == theirs.ok
    assert ours is None or ours == f"{theirs.shop}.myshopify.com"


def test_the_first_official_library_has_the_same_digest_for_a_single_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its rule is that of OAuth; for one parameter that rule and the proxy's are the same."""
    monkeypatch.setattr(shopify.Session, "secret", "hush")

    ours = signatures.proxy_signature(f"shop={SHOP}", "hush")

    assert ours == shopify.Session.calculate_hmac({"shop": SHOP})
