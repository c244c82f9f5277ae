"""Generates protos/gen from the .proto files: messages, gRPC stubs and their types. Run by `make proto`."""

import shutil
import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent


def generate(target: Path) -> None:
    """Writes the generated packages under `target`, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
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
    for folder in {p.parent for p in target.rglob("*.py")} | {target / "oms"}:
        for package in (folder, *folder.parents):
            if package == target:
                break
            (package / "__init__.py").touch()
            (package / "py.typed").touch() if package.name == "oms" else None


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "gen")
