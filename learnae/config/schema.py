"""The settings as a list: keys, types, defaults, help, and what each accepts in words."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import inspect

from learnae.config.settings import PeerSettings
from learnae.config.suggestions import either


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        section: The section it stands in, such as ``network``.
        name: Its key there, such as ``transport``.
        annotation: Its type, as msgspec understands it.
        default: What it is when nobody sets it.
        summary: One line of help.
        accepted: What it may be, in words.
        shape: The kind of its value, for reading it from text: ``scalar``, ``list`` or ``table``.
        optional: Whether it may be none, written as an empty text.
        path: Whether it is a path.
    """

    section: str
    name: str
    annotation: Any
    default: object
    summary: str
    accepted: str
    shape: str
    optional: bool
    path: bool

    @property
    def key(self) -> str:
        """The dotted key, such as ``network.transport``."""
        return f"{self.section}.{self.name}"


@cache
def every_setting() -> tuple[Setting, ...]:
    """List every setting, in the order of the file; the sections of plugins are not among them."""
    sections = get_type_hints(PeerSettings, include_extras=True)
    return tuple(
        _setting(section, field, hints[field.name])
        for section, kind in sections.items()
        if section != "plugins"
        for hints in [get_type_hints(kind, include_extras=True)]
        for field in _fields(kind)
    )


def _fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)  # noqa: S101  # it was made from a Struct
    return described.fields


def _setting(section: str, field: inspect.Field, annotation: Any) -> Setting:  # noqa: ANN401  # an annotation can be anything
    summary = ""
    kind = field.type
    while isinstance(kind, inspect.Metadata):
        summary = summary or str((kind.extra_json_schema or {}).get("description", ""))
        if kind.extra is not None:
            break
        kind = kind.type
    optional = isinstance(kind, inspect.UnionType) and any(isinstance(member, inspect.NoneType) for member in kind.types)
    core = _core(kind)
    return Setting(
        section=section,
        name=field.name,
        annotation=annotation,
        default=field.default if field.default is not msgspec.NODEFAULT else field.default_factory(),
        summary=summary,
        accepted=_accepted(field.type) + (', or "" for none' if optional else ""),
        shape={inspect.VarTupleType: "list", inspect.DictType: "table"}.get(type(core), "scalar"),
        optional=optional,
        path=isinstance(core, inspect.CustomType) and core.cls is Path,
    )


def _core(kind: inspect.Type) -> inspect.Type:
    """Take off metadata, and ``None`` from a union."""
    match kind:
        case inspect.Metadata(type=inner):
            return _core(inner)
        case inspect.UnionType(types=members):
            return _core(next(member for member in members if not isinstance(member, inspect.NoneType)))
        case _:
            return kind


def _accepted(kind: inspect.Type) -> str:  # noqa: PLR0911  # a table of kinds
    match kind:
        case inspect.Metadata(extra={"accepted": str(words)}):
            return words
        case inspect.Metadata(type=inner):
            return _accepted(inner)
        case inspect.UnionType(types=members):
            return _accepted(next(member for member in members if not isinstance(member, inspect.NoneType)))
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(gt=None, ge=low, le=high):
            return f"a number from {low:.15g} to {high:.15g}"
        case inspect.FloatType(gt=low, le=high):
            return f"a number above {low:.15g}, up to {high:.15g}"
        case inspect.EnumType(cls=choices):
            return either([str(choice) for choice in choices])
        case inspect.CustomType():
            return "a path"
        case inspect.VarTupleType(item_type=item):
            return f"a list: {_accepted(item)}"
        case inspect.DictType():
            return "a table of names and values"
        case _:
            return "a text"
