"""What every answer is: its fields have a data class each, and what the policy does not tell is absent.

Declared once for a model (``class CaseRow(Answer, says=DataClass.CASE_FACTS)``) and, where a field says something else,
beside the field (``level: Annotated[str, Says(DataClass.RISK)]``). A model that leaves a field without one is no model:
the process does not start. Interfaces are described with it, as ``x-data-class``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from access.policy import DataClass, telling

EXTENSION = "x-data-class"


@dataclass(frozen=True, init=False, slots=True)
class Says:
    """What a field says. Of several classes, each has to be told."""

    classes: frozenset[DataClass]

    def __init__(self, *classes: DataClass) -> None:
        object.__setattr__(self, "classes", frozenset(classes))


class Answer(BaseModel):
    """An answer's body, or a part of one.

    Serialised, it has those fields that `access.policy.telling.told` includes, however deep it stands in an answer and
    whoever serialises it. A field that holds no `Answer` (a mapping, a dataclass) is told whole or not at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    says: ClassVar[Mapping[str, frozenset[DataClass]]] = {}

    def __init_subclass__(cls, *, says: DataClass | None = None, **given: Any) -> None:
        super().__init_subclass__(**given)

    @classmethod
    def __pydantic_init_subclass__(cls, *, says: DataClass | None = None, **given: Any) -> None:
        """Finds each field's classes: its own, those that it inherits, the model's. Raises ``TypeError`` without."""
        super().__pydantic_init_subclass__(**given)
        inherited: Mapping[str, frozenset[DataClass]] = getattr(super(cls, cls), "says", {})
        found = {}
        for name, field in cls.model_fields.items():
            own = [each for each in field.metadata if isinstance(each, Says)]
            if own:
                found[name] = own[0].classes
            elif name in inherited:
                found[name] = inherited[name]
            elif says is not None:
                found[name] = frozenset({says})
            else:
                raise TypeError(f"{cls.__name__}.{name} has no data class")
        cls.says = found

    @model_serializer(mode="wrap")
    def _as_told(self, serialise: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        # Not annotated: what it returns is described by the fields, as without it.
        members: dict[str, Any] = serialise(self)
        told = telling.told()
        if told == telling.EVERYTHING:
            return members
        says = self.says
        return {name: value for name, value in members.items() if says[name] <= told}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema, with each property's classes."""
        described = handler.resolve_ref_schema(handler(schema))
        for name, said in described.get("properties", {}).items():
            classes = sorted(cls.says[name])
            described["properties"][name] = _beside(said, classes[0] if len(classes) == 1 else classes)
        return described


def _beside(said: JsonSchemaValue, classes: DataClass | list[DataClass]) -> JsonSchemaValue:
    """A property's schema with its classes. OpenAPI 3.1 allows a word beside a reference."""
    told = str(classes) if isinstance(classes, DataClass) else [str(each) for each in classes]
    return {**said, EXTENSION: told}


def classes_of(described: Mapping[str, Any]) -> frozenset[DataClass]:
    """The classes of a property as an interface describes it; none for one that has none of its own."""
    said = described.get(EXTENSION, [])
    return frozenset(DataClass(each) for each in ([said] if isinstance(said, str) else said))
