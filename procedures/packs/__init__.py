"""Loads rule packs: the YAML files of this folder, checked once and kept as frozen values of `procedures.rules`."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from procedures.packs.document import PackForm
from procedures.rules import Clock, MeasureRule, Pack, Purpose

__all__ = ["Clock", "MeasureRule", "Pack", "PackError", "Purpose", "chosen", "load", "read"]

FOLDER = Path(__file__).parent


class PackError(ValueError):
    """A pack that is absent or cannot be relied on. The text has a line per fault: file, line, path in the document,
    reason."""


def load(pack: str, *, version: str | None = None, scale: float = 1.0) -> Pack:
    """The pack of this id; the same value each time.

    ``version`` is the text that an event recorded (it carries the scale); without it, the newest version with its
    limits times ``scale``, which only a pack with status ``drill`` accepts. Raises `PackError`.
    """
    if version is None:
        return _loaded(pack, scale)
    number, _, recorded = version.partition("x")
    try:
        found = _loaded(pack, float(recorded or 1))
    except ValueError as fault:
        raise PackError(f"{pack} {version}: {fault}") from fault
    if found.version != version:
        raise PackError(f"{pack} {number} is not here: the file holds {found.version}")
    return found


def chosen(setting: str) -> Pack:
    """The newest version of the pack that a setting names: its id, for a drill pack also ``<id>:<scale>``.

    Raises `PackError`.
    """
    pack, colon, scale = setting.partition(":")
    try:
        times = float(scale) if colon else 1.0
    except ValueError:
        raise PackError(f"{setting}: after the colon stands a number that the limits are multiplied by") from None
    return load(pack, scale=times)


@cache
def _loaded(pack: str, scale: float) -> Pack:
    path = FOLDER / f"{pack}.yaml"
    if not pack.replace("-", "").replace("_", "").isalnum() or not path.is_file():
        raise PackError(
            f"no pack is called {pack!r}: there are {', '.join(sorted(p.stem for p in FOLDER.glob('*.yaml')))}"
        )
    found = read(path, scale=scale)
    if found.id != pack:
        raise PackError(f"{path.name}: id: the file of {pack} calls itself {found.id}")
    return found


def read(path: Path, *, scale: float = 1.0) -> Pack:
    """The pack in a file, not kept. Raises `PackError`, which names file, line, path and reason of each fault."""
    text = path.read_text(encoding="utf-8")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise PackError(f"{path.name}: not YAML: {fault}") from fault
    try:
        form = PackForm.model_validate(document)
    except ValidationError as fault:
        raise PackError(_told(path, node, [(error["loc"], error["msg"]) for error in fault.errors()])) from fault
    problems = form.problems()
    if problems:
        raise PackError(_told(path, node, [(tuple(at.split(".")), reason) for at, reason in problems]))
    if not 0 < scale < math.inf:
        raise PackError(f"{path.name}: a scale is a number above 0, not {scale:g}")
    if scale != 1 and form.status != "drill":
        raise PackError(f"{path.name}: status: limits of law are not scaled; only a drill pack is")
    return form.typed(scale)


def _told(path: Path, node: yaml.Node | None, faults: Sequence[tuple[tuple[int | str, ...], str]]) -> str:
    return "\n".join(
        f"{path.name}:{_line(node, at)}: {'.'.join(map(str, at)) or 'the pack'}: {reason}" for at, reason in faults
    )


def _line(node: yaml.Node | None, at: Sequence[int | str]) -> int:
    """The line, from 1, of the deepest part of ``at`` that the document has."""
    for step in at:
        inner: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if str(key.value) == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and str(step).isdigit() and int(step) < len(node.value):
            inner = node.value[int(step)]
        if inner is None:
            break
        node = inner
    return node.start_mark.line + 1 if node is not None else 1
