"""RAVDESS as a manifest with labels, split by actor: what our figures on speech stand on.

    python benchmarks/ravdess.py RAVDESS ravdess.csv
    annotate run ravdess.csv --transcripts none
    annotate train ravdess.csv --out one --config benchmarks/ravdess.toml
    annotate eval ravdess.csv one --split valid

RAVDESS is a folder with `Actor_01` and so on; every third actor validates. Neutral and calm are
one label, so there are seven.
"""

import argparse
import csv
from pathlib import Path

from annotator.starter.speech import RAVDESS

SUFFIXES = (".wav", ".flac", ".mp4")


def rows(folder: Path) -> list[tuple[str, str, str, str]]:
    """Path, speaker, split and label of every utterance.

    Raises SystemExit where there is none.
    """
    found = []
    for file in sorted(folder.glob("Actor_*/*")):
        parts = file.stem.split("-")
        if file.suffix in SUFFIXES and len(parts) == 7 and parts[2] in RAVDESS:
            actor = int(parts[6])
            split = "train" if actor % 3 else "valid"
            found.append((str(file.resolve()), f"actor {actor}", split, RAVDESS[parts[2]]))
    if not found:
        raise SystemExit(f"ravdess: no utterances in {folder}: expected Actor_01/03-01-...")
    return found


def main() -> None:
    """Write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("manifest", type=Path)
    options = parser.parse_args()
    found = rows(options.folder)
    with options.manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "split", "labels"])
        writer.writerows(found)
    print(f"{len(found)} utterances of {len({row[1] for row in found})} actors")


if __name__ == "__main__":
    main()
