"""The Admin GraphQL API: our subset, checked against the real schema where that is at hand."""

import gzip
import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from sandbox.store import admin_objects, admin_search, database
from sandbox.store.admin_cost import MOST_PER_QUERY, Bucket, Costs
from sandbox.store.catalog import Catalog
from sandbox.store.database import Database
from sandbox.store.errors import NotFound
from sandbox.store.orders import Orders
from sandbox.store.payloads import gid
from sandbox.store.settings import Settings

Json = dict[str, Any]
Info = GraphQLResolveInfo[Any]
SDL = Path(__file__).with_name("admin.graphql")
NAME = re.compile(r"\b(?:query|mutation)\s+(\w+)")
SHOP_ID = 68410240001


@dataclass(frozen=True)
class Question:
    """One GraphQL request that could be read."""

    document: DocumentNode
    operation: OperationDefinitionNode
    variables: Json


class AdminApi:
    """Answers GraphQL about the shop's orders."""

    def __init__(self, db: Database, orders: Orders, catalog: Catalog, settings: Settings) -> None:
        """Build the schema, and load the real one when the settings name it."""
        self._db, self._orders = db, orders
        self._catalog, self._settings = catalog, settings
        self._bucket = Bucket()
        self._schema = build_schema(SDL.read_text())
        self._real = real_schema(settings.schema) if settings.schema else None
        root = self._schema.query_type
        assert root is not None  # noqa: S101
        for name, resolver in (
            ("order", self._order),
            ("orders", self._list),
            ("shop", self._shop),
            ("currentAppInstallation", self._installation),
            ("webhookSubscriptions", self._subscriptions),
        ):
            root.fields[name].resolve = resolver
        page_nested_lists(self._schema)

    def answer(self, *, query: str, variables: Json, operation_name: str | None) -> Json:
        """Run one request and return the body of the answer, and log the call."""
        try:
            body = self._answer(query, variables, operation_name)
        except GraphQLError as error:
            body = {"errors": [error.formatted]}
        self.log(query=query, variables=variables, operation=operation_name, status=200, body=body)
        return body

    def log(
        self, *, query: str, variables: Json, operation: str | None, status: int, body: Json
    ) -> None:
        """Write a call down."""
        cost = body.get("extensions", {}).get("cost", {})
        actual = cost.get("actualQueryCost")
        named = NAME.search(query)
        with self._db.writing() as connection:
            connection.execute(
                "INSERT INTO calls (at, status, operation, query, variables, cost, errors)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    database.clock(),
                    status,
                    operation or (named and named[1]),
                    query,
                    json.dumps(variables),
                    cost.get("requestedQueryCost") if actual is None else actual,
                    json.dumps(body.get("errors", [])),
                ),
            )

    def _answer(self, query: str, variables: Json, operation_name: str | None) -> Json:
        document = parse(query)
        for schema in (self._real, self._schema):
            if schema and (errors := validate(schema, document)):
                return {"errors": [error.formatted for error in errors]}
        question = Question(document, chosen(document, operation_name), variables)
        fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        costs = Costs(fragments, with_defaults(question.operation, variables))
        requested = costs.requested(question.operation)
        if requested > MOST_PER_QUERY:
            return refusal("MAX_COST_EXCEEDED", f"Query cost is {requested}, over {MOST_PER_QUERY}")
        if not self._bucket.take(requested):
            return refusal("THROTTLED", "Throttled") | self._cost(requested, None)
        return self._run(question, costs, requested)

    def _run(self, question: Question, costs: Costs, requested: int) -> Json:
        name = question.operation.name
        result = execute_sync(
            self._schema,
            question.document,
            variable_values=question.variables,
            operation_name=name.value if name else None,
        )
        actual = min(costs.actual(question.operation, result.data), requested)
        self._bucket.give_back(requested - actual)
        body: Json = {"data": result.data}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return body | self._cost(requested, actual)

    def _cost(self, requested: int, actual: int | None) -> Json:
        cost = {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self._bucket.status(),
        }
        return {"extensions": {"cost": cost}}

    def _order(self, _root: object, _info: Info, **arguments: Any) -> Json | None:
        prefix, _, number = str(arguments["id"]).rpartition("/")
        if prefix != "gid://shopify/Order" or not number.isdecimal():
            raise GraphQLError(f"Invalid global id '{arguments['id']}'")
        with self._db.reading() as connection:
            try:
                found = self._orders.get(connection, order_id=int(number))
            except NotFound:
                return None
        return admin_objects.order_object(found, self._catalog)

    def _list(self, _root: object, _info: Info, **arguments: Any) -> Json:
        with self._db.reading() as connection:
            everything = self._orders.listing(connection)
        found = admin_search.search(everything, arguments.get("query"))
        sort = arguments.get("sortKey") or "PROCESSED_AT"
        entries = [
            (
                admin_search.sort_key(order, sort),
                partial(admin_objects.order_object, order, self._catalog),
            )
            for order in found
        ]
        return admin_search.connection(entries, arguments)

    def _shop(self, _root: object, _info: Info) -> Json:
        return {
            "id": gid("Shop", SHOP_ID),
            "name": self._catalog.name,
            "myshopifyDomain": self._settings.shop,
            "ianaTimezone": self._catalog.timezone,
            "currencyCode": self._catalog.currency,
            "plan": {"publicDisplayName": "Development"},
        }

    def _installation(self, _root: object, _info: Info) -> Json:
        scopes = admin_objects.SCOPES.items()
        return {
            "id": gid("AppInstallation", SHOP_ID + 1),
            "accessScopes": [{"handle": handle, "description": text} for handle, text in scopes],
        }

    def _subscriptions(self, _root: object, _info: Info, **arguments: Any) -> Json:
        topics = arguments.get("topics")
        found = admin_objects.subscriptions(self._settings.connector_url)
        shown = [one for one in found if topics is None or one["topic"] in topics]
        return admin_search.connection(keyed(shown), arguments)


def page_nested_lists(schema: GraphQLSchema) -> None:
    """Let every list inside an object be paged by its own arguments."""
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind is schema.query_type:
            continue
        for field in kind.fields.values():
            if str(field.type).endswith("Connection!"):
                field.resolve = nested_connection
            elif "first" in field.args:
                field.resolve = nested_list


def nested_connection(parent: Json, info: Info, **arguments: Any) -> Json:
    """Page a list inside an object."""
    return admin_search.connection(keyed(parent[info.field_name]), arguments)


def nested_list(parent: Json, info: Info, first: int | None = None) -> list[Json]:
    """Cut a plain list."""
    found: list[Json] = parent[info.field_name]
    return found if first is None else found[:first]


def keyed(items: list[Json]) -> list[tuple[admin_search.Key, admin_search.Make]]:
    """Give each object its id as its place in the list."""
    return [(("", int(item["id"].rpartition("/")[2])), partial(dict, item)) for item in items]


def chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Return the operation to run."""
    found = [
        node
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        and (name is None or (node.name and node.name.value == name))
    ]
    if len(found) != 1:
        raise GraphQLError("the request does not name one operation of its document")
    return found[0]


def with_defaults(operation: OperationDefinitionNode, variables: Json) -> Json:
    """Return the variables with the defaults of the document."""
    defaults = {
        node.variable.name.value: getattr(node.default_value, "value", None)
        for node in operation.variable_definitions or ()
    }
    return defaults | variables


def refusal(code: str, message: str) -> Json:
    """Return an answer without data."""
    documentation = "https://shopify.dev/docs/api/usage/limits"
    extensions = {"code": code, "documentation": documentation}
    return {"errors": [{"message": message, "extensions": extensions}]}


def real_schema(path: Path) -> GraphQLSchema:
    """Load the introspection of the real API; its own inconsistencies are let pass."""
    with gzip.open(path) as file:
        introspection = json.load(file)
    return build_client_schema(introspection.get("data", introspection), assume_valid=True)
