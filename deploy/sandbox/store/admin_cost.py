"""What an Admin API query costs, and the bucket that pays for it."""

import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

MOST_PER_QUERY = 1000
# Parts of another object, not objects one could fetch.
FREE = frozenset({"pageInfo", "shopMoney", "presentmentMoney", "customAttributes", "cursor"})
WRAPPERS = frozenset({"nodes", "edges", "node"})


class Bucket:
    """A leaky bucket: 2000 points, 100 back each second."""

    def __init__(self, *, maximum: float = 2000.0, restore_rate: float = 100.0) -> None:
        """Start full."""
        self._maximum, self._restore_rate = maximum, restore_rate
        self._available, self._at = maximum, time.monotonic()
        self._lock = threading.Lock()

    def take(self, points: int) -> bool:
        """Take points, or say that there are too few."""
        with self._lock:
            self._refill()
            if points > self._available:
                return False
            self._available -= points
            return True

    def give_back(self, points: int) -> None:
        """Return what was asked for and not used."""
        with self._lock:
            self._available = min(self._maximum, self._available + points)

    def status(self) -> dict[str, float]:
        """Return the three numbers of throttleStatus."""
        with self._lock:
            self._refill()
            return {
                "maximumAvailable": self._maximum,
                "currentlyAvailable": math.floor(self._available),
                "restoreRate": self._restore_rate,
            }

    def _refill(self) -> None:
        now = time.monotonic()
        restored = (now - self._at) * self._restore_rate
        self._available, self._at = min(self._maximum, self._available + restored), now


class Costs:
    """Counts one point per object, and lists by the size that was asked for."""

    def __init__(
        self, fragments: dict[str, FragmentDefinitionNode], variables: dict[str, Any]
    ) -> None:
        """Keep what the document refers to."""
        self._fragments = fragments
        self._variables = variables

    def requested(self, operation: OperationDefinitionNode) -> int:
        """Return what the query may cost at most."""
        return self._inside(operation.selection_set)

    def actual(self, operation: OperationDefinitionNode, data: dict[str, Any] | None) -> int:
        """Return what the answer did cost."""
        return self._answered(operation.selection_set, data or {})

    def _inside(self, selections: SelectionSetNode) -> int:
        return sum(self._field(field) for field in self._fields(selections))

    def _field(self, field: FieldNode) -> int:
        name = field.name.value
        if field.selection_set is None or name in FREE or name.endswith("Set"):
            return 0
        inside = self._inside(field.selection_set)
        if name in WRAPPERS:
            return inside
        size = self._size(field)
        if size is None:
            return 1 + inside
        return size * (1 + inside)

    def _size(self, field: FieldNode) -> int | None:
        for argument in field.arguments or ():
            if argument.name.value in {"first", "last"}:
                if isinstance(argument.value, VariableNode):
                    return int(self._variables.get(argument.value.name.value) or 0)
                if isinstance(argument.value, IntValueNode):
                    return int(argument.value.value)
        return None

    def _answered(self, selections: SelectionSetNode, data: dict[str, Any]) -> int:
        total = 0
        for field in self._fields(selections):
            name = field.name.value
            if field.selection_set is None or name in FREE or name.endswith("Set"):
                continue
            value = data.get(field.alias.value if field.alias else name)
            many = value if isinstance(value, list) else [value]
            found = [item for item in many if isinstance(item, dict)]
            # A connection is no object itself: its nodes, or the nodes inside its edges, are.
            own = name in {"nodes", "node"} or not (name in WRAPPERS or self._is_wrapped(field))
            total += sum(own + self._answered(field.selection_set, item) for item in found)
        return total

    def _is_wrapped(self, field: FieldNode) -> bool:
        assert field.selection_set is not None  # noqa: S101
        return any(inner.name.value in WRAPPERS for inner in self._fields(field.selection_set))

    def _fields(self, selections: SelectionSetNode) -> Iterator[FieldNode]:
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                yield selection
            elif isinstance(selection, FragmentSpreadNode):
                yield from self._fields(self._fragments[selection.name.value].selection_set)
            elif isinstance(selection, InlineFragmentNode):
                yield from self._fields(selection.selection_set)
