"""How people mistake emotions, from votes: the rates that simulated annotators err by.

    python benchmarks/confusion.py ../shared/data > annotator/simulation/error_rates.json

A row for each emotion shown, "" for none, has the chance that one person names each label.
"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

CREMA_D = {"A": "anger", "D": "disgust", "F": "fear", "H": "happy", "N": "", "S": "sad"}
INTENDED = {"ANG": "A", "DIS": "D", "FEA": "F", "HAP": "H", "NEU": "N", "SAD": "S"}
PRESENTED = {"1": "voice", "2": "face", "3": "both"}
FERPLUS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "",
    "sadness": "sad",
    "surprise": "surprise",
}

Votes = tuple[str, Mapping[str, float]]
"""What a clip shows, and how many people named each emotion."""


def crema_d(folder: Path, presented: str) -> Iterator[Votes]:
    """What the actor was told to show, and the votes of those who saw or heard it so."""
    with (folder / "tabulatedVotes.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if PRESENTED[row[""][0]] == presented:
                intended = INTENDED[row["fileName"].split("_")[2]]
                yield CREMA_D[intended], {CREMA_D[key]: float(row[key]) for key in CREMA_D}


def ferplus(folder: Path) -> Iterator[Votes]:
    """What most people saw, without one of their votes, and all other votes."""
    for part in ("train", "valid"):
        with (folder / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                votes = {FERPLUS[key]: float(row[key]) for key in FERPLUS}
                top = max(votes, key=votes.__getitem__)
                if 2 * votes[top] > sum(votes.values()):  # a majority of them
                    yield top, {**votes, top: votes[top] - 1}


def rates(clips: Iterator[Votes]) -> dict[str, dict[str, float]]:
    """By what is shown, then by what is named: the share of all votes."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for shown, votes in clips:
        for named, count in votes.items():
            sums[shown][named] += count
    return {
        shown: {
            named: round(count / sum(votes.values()), 3)
            for named, count in sorted(votes.items())
            if named
        }
        for shown, votes in sorted(sums.items())
    }


def main() -> None:
    """Print all of them as JSON."""
    data = Path(sys.argv[1])
    tables = {
        f"crema-d-{presented}": rates(crema_d(data / "cremad_votes", presented))
        for presented in PRESENTED.values()
    }
    print(json.dumps({**tables, "ferplus": rates(ferplus(data / "ferplus"))}, indent=1))


if __name__ == "__main__":
    main()
