"""Generates the code of the protobuf contracts, and checks that what is committed is what they generate.

`python -m proto.generate` writes it; `check` compares, lints, and refuses a change that breaks the accepted contracts
in ``accepted.binpb``; `accept` makes today's contracts the accepted ones, which is done once for each release.
"""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
BUF = Path(sys.executable).with_name("buf")
ACCEPTED = HERE / "accepted.binpb"


def contracts() -> list[str]:
    """The contract files, relative to this folder, in a fixed order."""
    return sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.proto"))


def generate(into: Path) -> list[Path]:
    """Generates messages and their type stubs below a folder. Answers with the files, relative to it."""
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}", f"--python_out={into}", f"--pyi_out={into}"]
    subprocess.run([*command, *contracts()], check=True, cwd=HERE)
    return sorted(path.relative_to(into) for path in into.rglob("*_pb2.py*") if "__pycache__" not in path.parts)


def stale() -> list[Path]:
    """Generated files that differ from what the contracts generate now, are missing, or have no contract any more."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = generate(Path(folder))
        _, different, missing = filecmp.cmpfiles(folder, HERE, map(str, fresh), shallow=False)
    kept = {path.relative_to(HERE) for path in HERE.rglob("*_pb2.py*") if "__pycache__" not in path.parts}
    return sorted({Path(path) for path in [*different, *missing]} | (kept - set(fresh)))


def check() -> int:
    """0 where the generated code is current and the contracts are clean and compatible; else says what is not."""
    found = stale()
    for path in found:
        print(f"proto/{path} is not what the contracts generate: run `make proto`")
    lint = subprocess.run([BUF, "lint"], cwd=HERE, check=False).returncode
    breaking = subprocess.run([BUF, "breaking", "--against", ACCEPTED], cwd=HERE, check=False).returncode
    return 1 if found or lint or breaking else 0


def main() -> int:
    """The command line."""
    match sys.argv[1:]:
        case []:
            generate(HERE)
            return 0
        case ["check"]:
            return check()
        case ["accept"]:
            return subprocess.run([BUF, "build", "-o", ACCEPTED], cwd=HERE, check=False).returncode
        case _:
            print("usage: python -m proto.generate [check|accept]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
