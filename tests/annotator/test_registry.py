"""Model versions: which one is meant, what may be imported, what is said of a damaged one."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from annotator.errors import UsageError
from annotator.features.extractor import DEFAULT_EXTRACTORS, extractor_spec
from annotator.learning.dataset import FOREIGN
from annotator.registry import (
    SHIPPED,
    STARTER,
    UNTRAINED,
    choose,
    extractors_of,
    import_released,
    load_network,
    versions,
)
from annotator.types import DEFAULT_LABELS
from annotator.workspace import Workspace, open_workspace

LABELS = ("happy", "sad", "anger")
DIMENSIONS = {"visual": 5, "audio": 6, "bert": 7}
HIDDEN, LATENT = 16, 4


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return open_workspace(tmp_path / "w", create=True)


def released() -> dict[str, torch.Tensor]:
    """Random weights under the names of the released code's state dict; tiny, one layer."""
    shapes = dict([*encoder_shapes(), *head_shapes()])
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) / shape[-1] for name, shape in shapes.items()
    }


def linear(name: str, inputs: int, outputs: int):
    return (f"{name}.weight", (outputs, inputs)), (f"{name}.bias", (outputs,))


def norm(name: str, width: int):
    return (f"{name}.weight", (width,)), (f"{name}.bias", (width,))


def encoder_shapes():
    yield "embedding_layer.weight", (len(LABELS), HIDDEN)
    for encoder, dimension in DIMENSIONS.items():
        modality = "text" if encoder == "bert" else encoder
        yield from norm(f"{modality}_norm.{modality}_norm2d", dimension)
        yield from linear(f"{encoder}.embeddings.word_embeddings", dimension, HIDDEN)
        yield f"{encoder}.embeddings.position_embeddings.weight", (20, HIDDEN)
        yield from norm(f"{encoder}.embeddings.LayerNorm", HIDDEN)
        layer = f"{encoder}.encoder.layer.0"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from linear(f"{layer}.attention.{part}", HIDDEN, HIDDEN)
        yield from norm(f"{layer}.attention.output.LayerNorm", HIDDEN)
        yield from linear(f"{layer}.intermediate.dense", HIDDEN, HIDDEN)
        yield from linear(f"{layer}.output.dense", HIDDEN, HIDDEN)
        yield from norm(f"{layer}.output.LayerNorm", HIDDEN)


def head_shapes():
    for number in range(3):
        for part in ("label_projection", "seq_projection", "out_projection"):
            yield from linear(f"label_wise_attention.{part}.{number}", HIDDEN, HIDDEN)
        for part in ("linear.0", "linear.1", "output"):
            yield from linear(f"encoder.{number}.{part}", HIDDEN, HIDDEN)
        for part in ("fc_mu", "fc_var"):
            yield from linear(f"encoder.{number}.{part}", HIDDEN, LATENT)
    heads = {"common_classfier": 3 * HIDDEN}
    for label in range(len(LABELS)):
        heads[f"final_classifier.{label}"] = heads[f"var_classifier1.{label}"] = 3 * LATENT
    for head, inputs in heads.items():
        yield from linear(f"{head}.0", inputs, HIDDEN)
        yield from linear(f"{head}.3", HIDDEN, 1)


def copy(workspace: Workspace, name: str, *, trained: bool = True) -> None:
    """The untrained model once more, under another name, perhaps claiming to be trained."""
    folder = workspace.models / name
    shutil.copytree(choose(workspace, UNTRAINED).path, folder)
    described = json.loads((folder / "model.json").read_text())
    described["metadata"]["trained"] = trained
    (folder / "model.json").write_text(json.dumps(described))


# Which one is meant.


def test_without_any_it_is_the_starter_that_ships(workspace):
    first = choose(workspace, None)
    assert (first.name, first.trained, first.labels) == (STARTER, True, DEFAULT_LABELS)
    assert first.path == workspace.models / STARTER, "a later package's starter is another model"
    assert choose(workspace, None) == choose(workspace, STARTER) == first
    assert load_network(first).config.labels == first.labels
    assert extractors_of(first) == DEFAULT_EXTRACTORS
    assert [folder.name for folder in workspace.models.iterdir()] == [STARTER]


def test_the_starter_is_listed_before_its_first_use(workspace):
    assert [version.name for version in versions(workspace)] == [STARTER]
    assert list(workspace.models.iterdir()) == []


def test_a_starter_that_another_run_copies_at_once_is_taken(workspace, monkeypatch):
    copytree = shutil.copytree

    def slowly(source, target):
        copytree(source, target)
        copytree(source, workspace.models / STARTER)

    monkeypatch.setattr(shutil, "copytree", slowly)
    assert choose(workspace, None).name == STARTER
    assert [folder.name for folder in workspace.models.iterdir()] == [STARTER]


def test_all_weights_that_ship_are_small():
    package = SHIPPED.parent
    files = [*SHIPPED.rglob("*.*"), *(package / "features" / "weights").iterdir()]
    assert sum(file.stat().st_size for file in files) < 25e6
    dtypes = {w.dtype for w in load_file(SHIPPED / STARTER / "model.safetensors").values()}
    assert dtypes == {torch.float16}


def test_the_untrained_one_is_always_the_same(workspace, tmp_path):
    first = choose(workspace, UNTRAINED)
    again = choose(open_workspace(tmp_path / "other", create=True), UNTRAINED)
    assert (first.name, first.trained) == (UNTRAINED, False)
    assert first.weights_hash == again.weights_hash
    assert load_network(first).config.labels == first.labels
    assert extractors_of(first) == DEFAULT_EXTRACTORS


def test_the_one_trained_model_is_the_default_and_two_have_to_be_named(workspace):
    copy(workspace, "good")
    assert choose(workspace, None).name == "good"
    assert choose(workspace, UNTRAINED).name == UNTRAINED
    choose(workspace, STARTER)
    assert choose(workspace, None).name == "good", "the starter is for who has nothing better"
    copy(workspace, "better")
    with pytest.raises(UsageError, match=r"--model \(better, good, starter\)"):
        choose(workspace, None)
    assert choose(workspace, "good").name == "good"
    known = [version.name for version in versions(workspace)]
    assert known == ["better", "good", STARTER, UNTRAINED]


@pytest.mark.parametrize("name", ["nosuch", "", "..", "../w/models/good", ".hidden", "good/"])
def test_unknown_names_are_answered_with_the_known_ones(workspace, name):
    copy(workspace, "good")
    shutil.copytree(workspace.models / "good", workspace.models / ".hidden")
    with pytest.raises(UsageError, match="expected one of good, starter, untrained"):
        choose(workspace, name)


# Imports.


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_released_checkpoint_is_imported_and_refused_for_our_features(
    workspace, tmp_path, suffix
):
    file = tmp_path / f"pytorch_model.{suffix}"
    (save_file if suffix == "safetensors" else torch.save)(released(), file)
    version = import_released(workspace, file, "paper", LABELS)
    assert (version.labels, version.trained) == (LABELS, True)
    assert set(version.extractors.values()) == {f"{FOREIGN} features"}
    network = load_network(choose(workspace, "paper"))
    given = {m: torch.ones(1, 4, d) for m, d in (("visual", 5), ("audio", 6), ("text", 7))}
    assert network(**given).probability.shape == (1, len(LABELS))
    with pytest.raises(UsageError, match="trained on visual features of 'foreign features'"):
        extractors_of(version)
    assert choose(workspace, None).name == STARTER, "it cannot be the default"


def test_the_released_implementations_own_weights_are_imported(workspace, tmp_path, shared):
    fixture = shared / "lddu_reference" / "fixture.safetensors"
    if not fixture.is_file():
        pytest.skip(f"{fixture} is not there")
    tensors = load_file(fixture)
    weights = {k.removeprefix("weight."): w for k, w in tensors.items() if k.startswith("weight.")}
    save_file(weights, tmp_path / "paper.safetensors")
    network = load_network(import_released(workspace, tmp_path / "paper.safetensors", "p", None))
    with torch.inference_mode():
        output = network(**{m: tensors[f"in.{m}"] for m in ("text", "audio", "visual")})
    torch.testing.assert_close(output.probability, tensors["out.probability"], atol=1e-4, rtol=0)


def test_what_cannot_be_imported_is_refused_and_leaves_nothing(workspace, tmp_path):
    save_file(released(), tmp_path / "good.safetensors")
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    (tmp_path / "noise.bin").write_bytes(b"\x80\x02noise")
    for file, name, labels, words in (
        ("good.safetensors", "../escape", LABELS, "cannot name a model"),
        ("good.safetensors", ".hidden", LABELS, "cannot name a model"),
        ("good.safetensors", "", LABELS, "cannot name a model"),
        ("good.safetensors", UNTRAINED, LABELS, "random weights"),
        ("good.safetensors", STARTER, LABELS, "the model that ships"),
        ("good.safetensors", "two", ("a", "b"), "3 labels, got 2"),
        ("other.safetensors", "x", None, "not a released LDDU checkpoint"),
        ("noise.bin", "x", None, "damaged or holds objects"),
        ("gone.bin", "x", None, "cannot be read"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            import_released(workspace, tmp_path / file, name, labels)
        assert "\n" not in str(caught.value)
    assert list(workspace.models.iterdir()) == []


def test_a_name_is_taken_once(workspace, tmp_path):
    save_file(released(), tmp_path / "good.safetensors")
    import_released(workspace, tmp_path / "good.safetensors", "paper", LABELS)
    with pytest.raises(UsageError, match="exists already"):
        import_released(workspace, tmp_path / "good.safetensors", "paper", LABELS)


# Damage, and other extractors.


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"metadata": {}}', b"[" * 100_000],
    ids=lambda content: repr(content[:12]),
)
def test_a_damaged_description_is_one_line_and_costs_no_other_model(workspace, content):
    copy(workspace, "good")
    copy(workspace, "bad")
    (workspace.models / "bad" / "model.json").write_bytes(content)
    with pytest.raises(UsageError, match="bad is damaged") as caught:
        choose(workspace, "bad")
    assert "\n" not in str(caught.value)
    assert choose(workspace, "good").name == "good"
    assert choose(workspace, UNTRAINED).name == UNTRAINED


def test_damaged_weights_are_refused_when_they_are_loaded(workspace):
    version = choose(workspace, UNTRAINED)
    weights = version.path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UsageError, match="'untrained' is damaged"):
        load_network(version)
    weights.unlink()
    with pytest.raises(UsageError, match="'untrained' is damaged"):
        load_network(version)


def test_damaged_thresholds_are_told_with_the_model_they_are_of(workspace):
    copy(workspace, "odd")
    file = workspace.models / "odd" / "model.json"
    described = json.loads(file.read_text())
    described["metadata"]["thresholds"] = {"happy": "high"}
    file.write_text(json.dumps(described))
    with pytest.raises(UsageError, match=r"odd: .*thresholds must be numbers"):
        choose(workspace, "odd")


def test_a_workspace_with_an_older_starter_is_told_how_to_get_the_newer(workspace):
    starter = choose(workspace, STARTER)
    older = replace(starter, extractors={**starter.extractors, "text": "minilm@0"})
    with pytest.raises(UsageError, match=r"minilm@0.*`annotate models import starter"):
        extractors_of(older)


def test_a_model_of_another_extractor_version_is_refused(workspace):
    copy(workspace, "old")
    file = workspace.models / "old" / "model.json"
    ours = extractor_spec(DEFAULT_EXTRACTORS["audio"]).id
    file.write_text(file.read_text().replace(ours, ours.partition("@")[0] + "@0"))
    with pytest.raises(UsageError, match=f"this installation has '{ours}'"):
        extractors_of(choose(workspace, "old"))
    file.write_text(file.read_text().replace(ours.partition("@")[0] + "@0", "nosuch@1"))
    with pytest.raises(UsageError, match="none of that name"):
        extractors_of(choose(workspace, "old"))
