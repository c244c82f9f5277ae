"""Form bodies with nested keys, `a[b][c]=1` and `expand[0]=x`, as the provider's clients write them."""

import re
from collections.abc import Iterable
from typing import Any

_PART = re.compile(r"\[([^\]]*)\]")


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Pairs of a form or a query as a tree of dicts; leaves are text, lists are dicts keyed by index."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        head = name.split("[", 1)[0]
        path = [head, *_PART.findall(name)]
        node = tree
        for part in path[:-1]:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                raise ValueError(f"{name} is both a value and a group")
            node = child
        last = path[-1] or str(len(node))
        node[last] = value
    return tree


def text_map(value: Any) -> dict[str, str]:
    """A group of text leaves (metadata); anything else is empty."""
    if not isinstance(value, dict):
        return {}
    return {str(key): str(item) for key, item in value.items() if not isinstance(item, dict)}


def values(value: Any) -> list[str]:
    """The leaves of a list."""
    return [str(item) for item in value.values()] if isinstance(value, dict) else []
