"""How model versions look: a list, one of them, and two side by side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from rich.table import Table
from rich.tree import Tree

from annotator.comparison import Differences
from annotator.console import literal, out_console, print_done, print_json, say
from annotator.registry import ModelVersion

MAIN = "mean_average_precision"  # the number that a list has room for
SHOWN = (MAIN, "macro_f1", "micro_f1", "accuracy", "ece")


def print_models(versions: Sequence[ModelVersion], in_use: str | None, *, as_json: bool) -> None:
    """Model versions, a row each; the one in use is marked."""
    if as_json:
        print_json([_facts(version, in_use) for version in versions])
        return
    table = Table("model", "from", "answers", "mAP on valid", "labels", "features", "weights")
    for version in versions:
        table.add_row(
            literal(version.name) + (" [bold](in use)" if version.name == in_use else ""),
            _origin(version),
            _known(version.ancestry.labels_from.get("answers")),
            _known(measured.value if (measured := version.ancestry.validation.get(MAIN)) else None),
            literal(", ".join(version.labels)),
            literal(", ".join(dict.fromkeys(version.extractors.values()))),
            version.weights_hash[:12],
        )
    out_console().print(table)


def print_model(version: ModelVersion, known: Mapping[str, ModelVersion], *, as_json: bool) -> None:
    """One version, and those it comes from.

    Args:
        version: which.
        known: all versions of the workspace by name.
        as_json: for machines.
    """
    ancestors = list(_ancestors(version, known))
    if as_json:
        names = [name for name, _ in ancestors]
        print_json({**_members(version), "parent": version.parent, "ancestors": names})
        return
    table = Table("", version.name, show_header=False)
    came = version.ancestry
    rows: list[tuple[str, object]] = [
        ("model", version.name),
        ("trained", "yes" if version.trained else "UNTRAINED"),
        ("labels", ", ".join(version.labels)),
        *((f"{modality} features", name) for modality, name in version.extractors.items()),
        *(
            (f"{name} on valid", f"{came.validation[name].value:.3f}")
            for name in SHOWN
            if name in came.validation
        ),
        *((f"{name} it learnt from", count) for name, count in came.labels_from.items()),
        ("promotion", came.reason),
        ("weights", version.weights_hash),
        ("folder", version.path),
    ]
    for name, value in rows:
        if value is not None:
            table.add_row(name, literal(value))
    out_console().print(table)
    if ancestors:
        out_console().print(_tree(version, ancestors))


def print_differences(found: Differences, *, as_json: bool) -> None:
    """What tells two versions apart."""
    if as_json:
        print_json(found)
        return
    table = Table("", literal(found.first), literal(found.second))
    for label in found.labels_removed:
        table.add_row("label", literal(label), "")
    for label in found.labels_added:
        table.add_row("label", "", literal(label))
    for name, pair in {**found.extractors, **found.settings, **found.validation}.items():
        table.add_row(literal(name), *(literal(_known(value)) for value in pair))
    if table.row_count:
        out_console().print(table)
    else:
        say("Labels, extractors, settings and numbers are the same.")
    if found.weights is None:
        say("Their weights have other shapes.")
    else:
        changes = ", ".join(f"{name} {change:.1%}" for name, change in found.weights.items())
        say(f"Change of the weights: {changes}.")
    say(_answers_line(found))


def print_in_use(name: str, *, as_json: bool) -> None:
    """Which version is in use now."""
    print_done(f"Model {name} is in use now.", {"in_use": name}, as_json=as_json)


def _answers_line(found: Differences) -> str:
    answers = found.answers
    if answers.jaccard is None:
        return "No clip has predictions of both: `annotate run CORPUS --model NAME` makes them."
    apart = ", ".join(f"{label} {value:.3f}" for label, value in answers.apart.items())
    return (
        f"On {answers.clips} clips that both have annotated: Jaccard of their labels "
        f"{answers.jaccard:.3f}, mean difference of probabilities {apart}."
    )


def _facts(version: ModelVersion, in_use: str | None) -> dict[str, object]:
    members = _members(version)
    return {**members, "parent": version.parent, "in_use": version.name == in_use}


def _members(version: ModelVersion) -> dict[str, object]:
    return {field.name: getattr(version, field.name) for field in fields(version)}


def _origin(version: ModelVersion) -> str:
    if version.parent is not None:
        return literal(f"{version.parent}, round {version.ancestry.round}")
    return "trained" if version.trained else "UNTRAINED"


def _known(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _ancestors(
    version: ModelVersion, known: Mapping[str, ModelVersion]
) -> Iterator[tuple[str, str]]:
    """Name and state of each, the parent first; one that is gone or has other weights ends it."""
    seen = {version.name}
    while (name := version.parent) is not None and name not in seen:
        seen.add(name)
        parent = known.get(name)
        if parent is None:
            yield name, "no longer here"
            return
        if parent.weights_hash != version.ancestry.parent_weights:
            yield name, "has other weights now"
            return
        yield name, f"round {parent.ancestry.round}"
        version = parent


def _tree(version: ModelVersion, ancestors: Sequence[tuple[str, str]]) -> Tree:
    names = [*(f"{name} ({state})" for name, state in reversed(ancestors)), version.name]
    root = tree = Tree(literal(names[0]))
    for name in names[1:]:
        tree = tree.add(literal(name))
    return root
