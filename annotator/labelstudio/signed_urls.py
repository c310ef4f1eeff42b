"""Addresses of clips that only we can make and that cease to work at a time they carry."""

import hashlib
import re
from collections.abc import Mapping

from itsdangerous import Signer

from annotator.errors import UsageError

KEY_VARIABLE = "ANNOTATE_MEDIA_KEY"
MIN_KEY = 32  # characters
SAMPLE_FILE = re.compile(r"[0-9a-z-]{8,64}\.mp4")

_EXPIRY = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"[0-9A-Za-z_-]{43}")  # of SHA-256, base64 without padding


def media_key(environ: Mapping[str, str]) -> bytes:
    """The key that signs, from the environment; it is in no message.

    Raises:
        UsageError: there is none, or it is short enough to be guessed.
    """
    key = environ.get(KEY_VARIABLE, "")
    if len(key) < MIN_KEY:
        said = f"has {len(key)} characters" if key else "is not set"
        raise UsageError(
            f"{KEY_VARIABLE}, the key that signs the addresses of clips, {said}: it needs "
            f"{MIN_KEY} at least; make one with: openssl rand -hex 32"
        )
    return key.encode("utf-8", "surrogateescape")


def signed_url(base_url: str, sample_file: str, key: bytes, expires_at: int) -> str:
    """The address of an excerpt, good until `expires_at`, seconds since 1970.

    Args:
        base_url: where the media server is seen from the browser.
        sample_file: the file's name, as `excerpts.file_name` gives it.
        key: of `media_key`.
        expires_at: when it ceases to work.

    Raises:
        ValueError: the name is no excerpt's, or the time is none.
    """
    if not SAMPLE_FILE.fullmatch(sample_file):
        raise ValueError(f"not the name of an excerpt: {sample_file!r}")
    expires = str(expires_at)
    if not _EXPIRY.fullmatch(expires):
        raise ValueError(f"not a time in seconds since 1970: {expires}")
    signature = _signer(key).get_signature(_payload(sample_file, expires)).decode()
    base = base_url.rstrip("/")
    return f"{base}/clips/{sample_file}?expires={expires}&signature={signature}"


def good_for(sample_file: str, expires: str, signature: str, key: bytes, now: float) -> int:
    """Seconds for which the signature still holds; 0 if it is wrong, for no excerpt, or over.

    The signatures are compared in constant time.
    """
    if not (
        SAMPLE_FILE.fullmatch(sample_file)
        and _EXPIRY.fullmatch(expires)
        and _SIGNATURE.fullmatch(signature)
    ):
        return 0
    if not _signer(key).verify_signature(_payload(sample_file, expires), signature):
        return 0
    return max(0, int(expires) - int(now))


def _payload(sample_file: str, expires: str) -> bytes:
    return f"{sample_file}\n{expires}".encode()


def _signer(key: bytes) -> Signer:
    return Signer(key, salt="annotate.clip", key_derivation="hmac", digest_method=hashlib.sha256)
