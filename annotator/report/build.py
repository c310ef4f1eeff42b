"""Gather a report's sections from a workspace."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from annotator import __version__, registry
from annotator.errors import UsageError
from annotator.registry import ModelVersion
from annotator.report.clips import Gallery
from annotator.report.corpus import corpus_section
from annotator.report.disagreement import disagreement_section
from annotator.report.labels import labels_section
from annotator.report.latents import latents_section
from annotator.report.media import Projector
from annotator.report.people import people_section
from annotator.report.reliability import reliability_section, risk_coverage_section
from annotator.report.rounds import learning_curve_section, lineage_section
from annotator.report.section import Section
from annotator.report.truth import known_truth
from annotator.report.uncertainty import uncertainty_section
from annotator.store.engine import Store
from annotator.workspace import Workspace

SAMPLE = 10_000  # clips: a quantile of theirs is off by about a hundredth of all clips
STEPS = 4  # of the progress, beside one a clip


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows."""

    title: str
    model: str
    trained: bool
    made_at: datetime
    tool: str
    clips: int
    sections: Sequence[Section]


def build(
    workspace: Workspace,
    store: Store,
    model: ModelVersion,
    *,
    each: int,
    with_media: bool,
    progress: Callable[[int], None],
) -> Report:
    """Everything a report shows of a model's answers.

    Args:
        workspace: where features and models lie.
        store: its database.
        model: the version whose answers are shown.
        each: how many of the least and of the most certain clips.
        with_media: show and play these clips.
        progress: told how many more of `STEPS` + 2 × `each` steps are done.
    """
    model_id = store.register_model(model)
    thresholds = model.thresholds
    with Projector() as projector:
        gallery = Gallery(store, model_id, each, projector if with_media else None)
        survey = store.survey(model_id, thresholds, SAMPLE)
        progress(1)
        truth = known_truth(store, model_id, model.labels)
        progress(1)
        versions = _versions(workspace)
        latents = latents_section(
            store, workspace.cache(), model, model_id, survey.sample, thresholds
        )
        progress(1)
        sections = [
            corpus_section(survey),
            labels_section(survey, thresholds),
            uncertainty_section(survey, model.labels),
            gallery.section(progress),
            reliability_section(truth),
            risk_coverage_section(truth, thresholds),
            disagreement_section(truth),
            latents,
            people_section(store),
            learning_curve_section(versions, model.name),
            lineage_section(versions, model.name, survey.status.predictions),
        ]
        progress(1)
    return Report(
        title=workspace.root.resolve().parent.name or "corpus",
        model=model.name,
        trained=model.trained,
        made_at=datetime.now(UTC),
        tool=__version__,
        clips=survey.clips,
        sections=sections,
    )


def _versions(workspace: Workspace) -> list[ModelVersion]:
    """All; where one is damaged, none: `annotate models list` says what to do."""
    try:
        return registry.versions(workspace)
    except UsageError:
        return []
