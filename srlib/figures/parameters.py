"""Checks of notebook parameters: papermill ignores misspelt names and accepts values of any type.

The first cell after the parameters calls `check_parameters(globals())`. The parameters cell annotates each name
(`width: int = 16  # filters`), which also feeds `papermill --help-notebook`.
"""

import ast
import difflib
from typing import Any, get_args, get_origin

from srlib.errors import InputError


def check_parameters(namespace: dict[str, Any]) -> None:
    """Check names and types of a notebook's parameters, in its `globals()`, and convert text such as `1,2` to declared lists.

    Raises
    ------
    InputError
        For an unknown name or a value of another type; the message has the name and the declared ones or the type.
    """
    declared: dict[str, Any] = namespace.get("__annotations__", {})
    injected = [ast.parse(cell) for cell in namespace.get("In", []) if cell.startswith("# Parameters")]  # papermill's cell
    assignments = [node for cell in injected for node in cell.body if isinstance(node, ast.Assign)]
    for name in (target.id for node in assignments for target in node.targets):
        if name not in declared:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(declared)}."
            raise InputError(f"Parameter {name!r} is unknown to this notebook: {hint}")
    for name, kind in declared.items():
        namespace[name] = _convert(name, kind, namespace[name])


def _convert(name: str, kind: Any, value: Any) -> Any:
    if get_origin(kind) is list:
        items = value.strip("[] ").split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return [_convert(name, get_args(kind)[0], item) for item in items if item != ""]
    try:
        if kind in (int, float) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
            converted = kind(value)
            if converted == float(value):
                return converted
    except ValueError:
        pass
    if kind in (bool, str) and isinstance(value, kind):
        return value.strip() if kind is str else value
    raise InputError(f"Parameter {name!r} is {value!r}, but a value of type {kind.__name__} is wanted.")
