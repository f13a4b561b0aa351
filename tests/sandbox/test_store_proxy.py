import hashlib
import hmac
import json
import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from sandbox.store.signatures import query_signature
from tests.sandbox.store_world import AVERY, SECRET, SHOP, VECTORS, Connector, Store

pytest_plugins = ("tests.sandbox.store_fixtures",)


def test_the_signature_agrees_with_shopifys_own_vectors() -> None:
    if not VECTORS.exists():
        pytest.skip("the vectors are not on this machine")
    vectors = [
        vector
        for vector in json.loads(VECTORS.read_text())
        if vector["kind"] == "app_proxy" and vector["expected_valid"]
    ]

    for vector in vectors:
        pairs = parse_qsl(vector["query"], keep_blank_values=True)
        unsigned = [pair for pair in pairs if pair[0] != "signature"]
        assert query_signature(unsigned, secret=vector["secret"]) == vector["expected"], vector
    assert len(vectors) >= 5


def test_the_query_is_signed_as_the_documentation_says(store: Store, connector: Connector) -> None:
    store.http.get("/apps/studio/slots?tag=b&tag=a&empty=&name=J%C3%BCrg+K")

    query = parse_qs(urlsplit(connector.heard[0].target).query, keep_blank_values=True)
    signature = query.pop("signature")
    text = "".join(sorted(f"{name}={','.join(values)}" for name, values in query.items()))
    assert signature == [hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()]
    assert query["tag"] == ["b", "a"]
    assert query["logged_in_customer_id"] == [""]
    assert (query["shop"], query["path_prefix"]) == ([SHOP], ["/apps/studio"])
    assert abs(int(query["timestamp"][0]) - time.time()) < 5


def test_a_caller_cannot_speak_for_shopify(store: Store, connector: Connector) -> None:
    store.http.get(
        "/apps/studio/credits?shop=evil.myshopify.com&logged%5Fin_customer_id=1&timestamp=1"
        "&signature=ff&path_prefix=%2F&signature=00&keep=1"
    )

    query = parse_qs(urlsplit(connector.heard[0].target).query, keep_blank_values=True)
    assert query["shop"] == [SHOP]
    assert query["logged_in_customer_id"] == [""]
    assert len(query["signature"]) == len(query["timestamp"]) == len(query["path_prefix"]) == 1
    assert query["keep"] == ["1"]


def test_the_logged_in_customer_is_named_and_cookies_stay_here(
    store: Store, connector: Connector
) -> None:
    store.http.post("/account/login", data={"customer": str(AVERY), "back": "/"})

    answer = store.http.post(
        "/apps/studio/holds", json={"a": 1}, headers={"X-Forwarded-For": "203.0.113.9"}
    )

    heard = connector.heard[0]
    assert f"logged_in_customer_id={AVERY}" in heard.target
    assert (heard.method, heard.json) == ("POST", {"a": 1})
    assert "cookie" not in heard.headers
    assert heard.headers["x-forwarded-for"] == "127.0.0.1"
    assert "set-cookie" not in answer.headers


def test_the_answer_comes_back_with_what_matters(store: Store, connector: Connector) -> None:
    connector.status = 409

    answer = store.http.get("/apps/studio/anything")

    assert (answer.status_code, answer.json()) == (409, {})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["etag"] == '"one"'
    assert answer.headers["retry-after"] == "7"
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_connector_that_is_down_is_a_502(own_store: Store, connector: Connector) -> None:
    own_store.kill()
    own_store.connector_url = "http://127.0.0.1:9"
    own_store.start()

    answer = own_store.http.get("/apps/studio/availability")

    assert answer.status_code == 502
    assert "does not answer" in answer.text
