"""A real S3 API on this machine (moto), and what lies in it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def running() -> Iterator[str]:
    """The address of a server; it and its login are in the environment meanwhile."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    before = dict(os.environ)
    os.environ.update(SETTINGS, AWS_ENDPOINT_URL=address)
    try:
        yield address
    finally:
        for name in (*SETTINGS, "AWS_ENDPOINT_URL"):
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]
        server.stop()


def client() -> Any:
    """A client that does not go by fsspec."""
    import boto3

    return boto3.client("s3")


def put_tree(bucket: str, folder: Path, prefix: str) -> None:
    """Put all files of a folder under a prefix of a new bucket or one that is there."""
    s3 = client()
    s3.create_bucket(Bucket=bucket)
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        s3.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")
