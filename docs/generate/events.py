"""The page of events: the contracts with their comments."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from amparo.record.v1 import record_pb2
from docs.generate.writing import line, page, says, table
from runtime.settings import CHECKOUT

STREAMS = {
    "intake": "`request/…`, `incident/…`",
    "protection": "`case/…`, `measure/…`",
    "referral": "`referral/…`, `agency/…`",
    "vault": "`access/…`, `refusal/…`, `keys/…`",
}


def events_page() -> str:
    """Each source's events, with the comments of the contracts."""
    parts = []
    for service, streams in STREAMS.items():
        file = _contracts()[f"amparo/{service}/v1/events.proto"]
        own = {name.rpartition(".")[2] for name in import_module(f"services.{service}.handlers").CODEC.by_name}
        names = [message.name for message in file.message_type]
        parts += [f"## {service}", f"Source `pe.{service}`, streams {streams}. {_comments(file, (2,))}".rstrip()]
        parts += [_message(file, n) for n, name in enumerate(names) if name in own]
        if inner := [n for n, name in enumerate(names) if name not in own]:
            parts += ["### Parts of these events", *(_message(file, n) for n in inner)]
        parts += [
            f"### Words of {service}",
            table(("enumeration", "values"), [_words(enum) for enum in file.enum_type]),
        ]
    record = _contracts()["amparo/record/v1/record.proto"]
    envelope = [_message(record, n) for n in range(len(record.message_type))]
    return page(
        "Events",
        says("""
            Declared in `proto/amparo/…/v1/events.proto`. A **sealed** field is not in the event's bytes: it travels
            beside them as a `SealedField`, under the key of its subject. Enumerations are given as the APIs write
            them. Fields are added, and never change their meaning.
            """),
        *parts,
        "## The envelope",
        "What every source's log is made of: `proto/amparo/record/v1/record.proto`.",
        *envelope,
    )


@cache
def _contracts() -> Mapping[str, FileDescriptorProto]:
    """The contracts with their comments, by file."""
    proto = CHECKOUT / "proto"
    files = sorted(str(file.relative_to(proto)) for file in (proto / "amparo").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        described = Path(folder) / "described"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto}", "--include_source_info"]
        subprocess.run([*command, f"--descriptor_set_out={described}", *files], check=True, cwd=proto)
        return {file.name: file for file in FileDescriptorSet.FromString(described.read_bytes()).file}


def _comments(file: FileDescriptorProto, path: Sequence[int]) -> str:
    for location in file.source_code_info.location:
        if list(location.path) == list(path):
            return line(location.leading_comments)
    return ""


def _message(file: FileDescriptorProto, place: int) -> str:
    """A message as a heading, its comment and its fields."""
    message: DescriptorProto = file.message_type[place]
    rows = [
        (f"`{field.name}`", _type(field), _comments(file, (4, place, 2, n))) for n, field in enumerate(message.field)
    ]
    rows += [(f"`{name}`", "text, **sealed**", "") for name in _sealed(message)]
    said = [f"**{message.name}**. {_comments(file, (4, place))}".removesuffix(". ")]
    return "\n\n".join([*said, table(("field", "type", ""), rows)] if rows else [*said, "No fields."])


def _sealed(message: DescriptorProto) -> Sequence[str]:
    """The names of the fields that travel sealed."""
    return list(message.options.Extensions[record_pb2.sealed])  # type: ignore[index]


def _type(field: FieldDescriptorProto) -> str:
    names = {
        FieldDescriptorProto.TYPE_STRING: "text",
        FieldDescriptorProto.TYPE_BOOL: "truth",
        FieldDescriptorProto.TYPE_BYTES: "bytes",
        FieldDescriptorProto.TYPE_UINT32: "number",
        FieldDescriptorProto.TYPE_UINT64: "number",
    }
    of_type = field.type_name.rpartition(".")[2]
    name = "instant" if of_type == "Timestamp" else names.get(field.type) or of_type
    return f"list of {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _words(enum: EnumDescriptorProto) -> tuple[str, str]:
    prefix = enum.value[0].name.removesuffix("UNSPECIFIED")
    values = [value.name.removeprefix(prefix).lower() for value in enum.value[1:]]
    return enum.name, " ".join(f"`{value}`" for value in values)
