"""File names derived from those of media, which nobody vouches for."""

import re
from pathlib import Path

MAX_BYTES = 150  # of a name; file systems take 255, and drafts are longer

# What Windows forbids, what separates folders, and what breaks terminals.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff<>:"/\\|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


class Names:
    """Hands out names, each once, also where capitals do not count."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._used: set[str] = set()

    def take(self, media: Path) -> str:
        """A name for what is written about a file.

        >>> names = Names(".eaf")
        >>> [names.take(Path(name)) for name in ("a/x.mp4", "b/X.wav", "con.mp4", "../..")]
        ['x.eaf', 'X-2.eaf', '_con.eaf', 'media.eaf']
        """
        stem, count = safe_stem(media), 1
        name = stem
        while name.casefold() in self._used:
            count += 1
            name = f"{stem}-{count}"
        self._used.add(name.casefold())
        return name + self._suffix


def safe_stem(media: Path) -> str:
    """The name of a file without its extension, as any file system takes it.

    Never empty, hidden or more than `MAX_BYTES` long, and no part of it leads elsewhere.
    """
    stem = _UNSAFE.sub("_", media.stem).strip(" .")
    stem = stem.encode()[:MAX_BYTES].decode(errors="ignore").strip(" .")
    if _DEVICES.match(stem):
        stem = f"_{stem}"
    return stem or "media"
