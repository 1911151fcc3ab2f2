# SPDX-License-Identifier: Apache-2.0
"""The messages of the container storage interface, compiled from ``csi.proto`` (v1.13.0 without trailing blanks)."""

import functools
import importlib.resources
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from grpc_tools import protoc

PACKAGE = "csi.v1"
_FILE = "csi.proto"


@functools.cache
def _messages() -> dict[str, type[Any]]:
    """Return the classes of all messages by their full names."""
    # protoc reads what protobuf itself declares from grpcio-tools.
    own = importlib.resources.files("grpc_tools") / "_proto"
    with (
        tempfile.TemporaryDirectory() as scratch,
        importlib.resources.as_file(own) as includes,
        importlib.resources.as_file(importlib.resources.files(__package__) / _FILE) as source,
    ):
        output = Path(scratch) / "descriptors"
        words = [f"-I{source.parent}", f"-I{includes}", "--include_imports", f"--descriptor_set_out={output}", _FILE]
        if protoc.main(["protoc", *words]) != 0:
            raise RuntimeError(f"protoc could not compile {source}")
        files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return dict(message_factory.GetMessageClassesForFiles([_FILE], pool))


def message(name: str) -> Any:
    """Return the class of a message, such as ``CreateVolumeRequest``; nested ones with a dot."""
    return _messages()[f"{PACKAGE}.{name}"]
