"""Generates protos/gen from the .proto files: messages, gRPC stubs and their types. Run by `make proto`."""

import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent


def generate(target: Path) -> None:
    """Writes the generated packages to `target`; what stood there is replaced once everything is made."""
    # protoc looks for the plugins that write types on the path; they stand beside this Python.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as made:
        fresh = Path(made) / "gen"
        fresh.mkdir()
        _write(fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)


def _write(target: Path) -> None:
    sources = sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("oms/**/*.proto"))
    well_known = resources.files("grpc_tools") / "_proto"
    arguments = [
        "protoc",
        f"-I{ROOT}",
        f"-I{well_known}",
        f"--python_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_out=quiet:{target}",
        f"--mypy_grpc_out=quiet:{target}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")
    for module in target.rglob("*.py"):
        for package in module.parents:
            if package == target:
                break
            (package / "__init__.py").touch()
    (target / "oms" / "py.typed").touch()


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "gen")
