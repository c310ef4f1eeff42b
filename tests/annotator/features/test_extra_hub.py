"""Extractors over transformers, with tiny random models; what needs the extra is skipped."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from safetensors.torch import load_file, save_file

from annotator.errors import EnvironmentFault, UsageError
from annotator.features.extractor import extractor_names, extractor_spec, load_extractor
from annotator.features.hub import HubAudio, HubText, HubVisual
from annotator.features.snapshot import snapshot

REASON = "needs transformers: pip install 'annotate-emotions[hub]'"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
CONVOLUTIONS = {
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}


@pytest.fixture(autouse=True)
def torch_threads():
    before = torch.get_num_threads()
    snapshot.cache_clear()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def transformers():
    return pytest.importorskip("transformers", reason=REASON)


@pytest.fixture(scope="session")
def text_folder(transformers, tmp_path_factory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "we", "are", "happy", "sad"]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return save(transformers.BertConfig(**SIZES, vocab_size=8, max_position_embeddings=64), folder)


@pytest.fixture(scope="session", params=["WavLM", "Hubert"])
def audio_folder(request, transformers, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return save(getattr(transformers, f"{request.param}Config")(**SIZES, **CONVOLUTIONS), folder)


@pytest.fixture(scope="session", params=["clip", "clip_vision", "vit"])
def visual_folder(request, transformers, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    vision = SIZES | {"image_size": 32, "patch_size": 8}
    text = SIZES | {"vocab_size": 8, "max_position_embeddings": 8}
    processor = {"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}}
    numbers = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.25, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor | numbers))
    config = {
        "clip": lambda: transformers.CLIPConfig(text_config=text, vision_config=vision),
        "clip_vision": lambda: transformers.CLIPVisionConfig(**vision),
        "vit": lambda: transformers.ViTConfig(**vision),
    }[request.param]()
    return save(config, folder)


def save(config, folder: Path) -> Path:
    from transformers import AutoModel

    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture
def on_the_hub(monkeypatch, tmp_path):
    """Put a folder in the hub's cache, as a download would, and take the network away."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(folder: Path, name: str) -> None:
        cached = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        shutil.copytree(folder, cached / "snapshots" / COMMIT)
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text(COMMIT)

    return put


def faces() -> np.ndarray:
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.mark.parametrize(
    ("family", "modality"),
    [("hub-text", "text"), ("hub-audio", "audio"), ("hub-visual", "visual")],
)
def test_a_missing_package_names_the_extra(monkeypatch, family, modality, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EnvironmentFault, match=r"^.*transformers.*'annotate-emotions\[hub\]'$"):
        load_extractor(f"{family}:{tmp_path}", modality)


@pytest.mark.parametrize("reference", ["", "a/b/c", "a b", "org/name@", "org/name@../../x", "@x"])
def test_a_malformed_reference_is_refused(reference):
    with pytest.raises(UsageError, match="names no model: expected ORGANISATION/NAME"):
        snapshot(reference)


def test_families_are_named_among_the_extractors_but_are_none():
    assert not any(name.startswith("hub-") for name in extractor_names())
    with pytest.raises(UsageError, match="hub-text:MODEL"):
        extractor_spec("hub-text-of-mine:org/name")


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"no folder .*absent: expected one with config.json"):
        snapshot(str(tmp_path / "absent"))


def test_a_folder_is_pinned_by_its_content_alone(tmp_path):
    folder, copy = tmp_path / "one@home", tmp_path / "two"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_bytes(b"{}")
    found = snapshot(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"not looked at")
    shutil.copytree(folder, copy)
    snapshot.cache_clear()
    assert snapshot(found.reference) == snapshot(str(folder)) == found
    assert snapshot(str(copy)).reference.rpartition("@")[2] == found.reference.rpartition("@")[2]


def test_a_pinned_folder_with_other_weights_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    pinned = snapshot(str(tmp_path)).reference
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    snapshot.cache_clear()
    with pytest.raises(EnvironmentFault, match="another one than asked for"):
        snapshot(pinned)


def test_a_model_of_the_hub_is_recorded_with_its_commit(on_the_hub, tmp_path):
    folder = tmp_path / "uploaded"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    on_the_hub(folder, "org/name")
    found = snapshot("org/name")
    assert found.reference == f"org/name@{COMMIT}"
    assert snapshot("org/name@main").reference == found.reference
    assert snapshot(found.reference).folder == found.folder


def test_without_a_network_an_absent_model_is_one_line(on_the_hub):
    with pytest.raises(EnvironmentFault, match=r"cannot get model 'org/absent'.*network") as caught:
        snapshot("org/absent")
    assert "\n" not in str(caught.value)


def test_text_states_are_the_models_own(transformers, text_folder):
    extractor = load_extractor(f"hub-text:{text_folder}", "text")
    assert isinstance(extractor, HubText)
    states = extractor.embed("we are happy")
    assert states.shape == (5, 16) and states.dtype == np.float16
    model = transformers.BertModel.from_pretrained(text_folder).eval()
    with torch.inference_mode():
        expected = model(torch.tensor([[2, 4, 5, 6, 3]])).last_hidden_state[0].numpy()
    assert np.allclose(states, expected, atol=2e-3)


def test_a_long_text_is_cut_to_what_the_model_takes(text_folder):
    assert load_extractor(f"hub-text:{text_folder}", "text").embed("sad " * 1_000).shape[0] == 64


def test_a_blank_text_is_refused(text_folder):
    with pytest.raises(ValueError, match="blank"):
        load_extractor(f"hub-text:{text_folder}", "text").embed(" \n")


def test_the_id_names_the_very_model_again(text_folder):
    spec = extractor_spec(f"hub-text:{text_folder}")
    name, _, version = spec.id.rpartition("@")
    assert (name, version, spec.dimension, spec.rate_hz) == (spec.name, "1", 16, None)
    assert extractor_spec(name) == spec
    assert load_extractor(name, "text").id == spec.id


def test_a_cached_model_of_the_hub_loads_without_a_network(on_the_hub, text_folder):
    on_the_hub(text_folder, "org/name")
    extractor = load_extractor("hub-text:org/name@main", "text", threads=2)
    assert extractor.id == f"hub-text:org/name@{COMMIT}@1"
    assert torch.get_num_threads() == 2 or torch.cuda.is_available()
    assert np.array_equal(
        extractor.embed("sad"), load_extractor(f"hub-text:{text_folder}", "text").embed("sad")
    )


@pytest.mark.parametrize("samples", [1, 160, 1_600, 1_601, 59_201, 480_000])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_ten_finite_steps_a_second_and_at_least_one(audio_folder, samples, level):
    extractor = load_extractor(f"hub-audio:{audio_folder}", "audio")
    assert isinstance(extractor, HubAudio)
    values = extractor.block((level * np.sin(np.arange(samples) * 0.1)).astype(np.float32))
    assert values.shape == (-(-samples // 1_600), 16) and values.dtype == np.float32
    assert np.isfinite(values).all()


def test_a_step_is_the_mean_of_its_states(transformers, audio_folder):
    sound = np.random.default_rng(0).normal(0, 0.1, 3_200).astype(np.float32)
    values = load_extractor(f"hub-audio:{audio_folder}", "audio").block(sound)
    model = transformers.AutoModel.from_pretrained(audio_folder).eval()
    normal = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    with torch.inference_mode():
        states = model(torch.tensor(np.pad(normal, (0, 80)))[None]).last_hidden_state[0].numpy()
    assert np.allclose(values, states.reshape(2, 5, 16).mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("samples", [0, 480_001])
def test_a_wrong_number_of_samples_is_refused(audio_folder, samples):
    extractor = load_extractor(f"hub-audio:{audio_folder}", "audio")
    with pytest.raises(ValueError, match="expected 1 to 480000"):
        extractor.block(np.zeros(samples, np.float32))


def test_sound_at_another_rate_is_refused(transformers, audio_folder, tmp_path):
    folder = shutil.copytree(audio_folder, tmp_path / "slow")
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=8_000).save_pretrained(folder)
    with pytest.raises(UsageError, match="16 kHz"):
        load_extractor(f"hub-audio:{folder}", "audio")


def test_a_face_is_seen_in_colour_and_in_batches(visual_folder):
    extractor = load_extractor(f"hub-visual:{visual_folder}", "visual")
    assert isinstance(extractor, HubVisual)
    crop = extractor.observe(faces())
    assert crop.shape == (32, 32, 3) and crop.dtype == np.uint8
    red, _, blue = crop.reshape(-1, 3).mean(axis=0)
    assert red > blue + 10  # skin
    other = crop[:, ::-1]
    values = extractor.embed([crop] * 20 + [other])
    assert values.shape == (21, 16) and values.dtype == np.float32
    assert np.allclose(values[:20], values[0], atol=1e-5)
    assert not np.allclose(values[20], values[0], atol=1e-3)


def test_pooled_states_are_the_models_own(transformers, visual_folder):
    extractor = load_extractor(f"hub-visual:{visual_folder}", "visual")
    crop = extractor.observe(faces())
    model = transformers.AutoModel.from_pretrained(visual_folder).eval()
    model = getattr(model, "vision_model", model)
    pixels = (crop / 255 - [0.5, 0.4, 0.3]) / [0.25, 0.25, 0.5]
    with torch.inference_mode():
        given = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
        expected = model(pixel_values=given).pooler_output.numpy()
    assert np.allclose(extractor.embed([crop]), expected, atol=1e-4)


def test_no_face_is_none(visual_folder):
    extractor = load_extractor(f"hub-visual:{visual_folder}", "visual")
    assert extractor.observe(np.ascontiguousarray(skimage.data.coffee())) is None


def without_weights(folder: Path, target: Path, part: str) -> Path:
    """A copy whose weights with `part` in their name are gone."""
    shutil.copytree(folder, target)
    weights = load_file(target / "model.safetensors")
    kept = {key: value for key, value in weights.items() if part not in key}
    assert len(kept) < len(weights)
    save_file(kept, target / "model.safetensors", {"format": "pt"})
    return target


def test_missing_weights_are_not_replaced_by_chance(text_folder, tmp_path):
    folder = without_weights(text_folder, tmp_path / "part", "attention.self.query")
    with pytest.raises(UsageError, match=r"lacks weights, .*query"):
        load_extractor(f"hub-text:{folder}", "text")


def test_a_missing_pooler_gives_way_to_the_mean(transformers, tmp_path):
    folder = tmp_path / "vit"
    folder.mkdir()
    save(transformers.ViTConfig(**SIZES, image_size=32, patch_size=8), folder)
    numbers = {"size": {"height": 32, "width": 32}, "image_mean": [0] * 3, "image_std": [1] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(numbers))
    part = without_weights(folder, tmp_path / "part", "pooler")
    crops = [np.full((32, 32, 3), 100, np.uint8)]
    first, again = (load_extractor(f"hub-visual:{part}", "visual").embed(crops) for _ in range(2))
    assert np.array_equal(first, again)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = model(torch.full((1, 3, 32, 32), 100 / 255)).last_hidden_state.mean(dim=1)
    assert np.allclose(first, states.numpy(), atol=1e-4)


def test_a_pickle_is_never_read(text_folder, tmp_path):
    folder = shutil.copytree(text_folder, tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match="safetensors") as caught:
        load_extractor(f"hub-text:{folder}", "text")
    assert "\n" not in str(caught.value)


def test_a_models_own_code_is_never_run(text_folder, tmp_path):
    folder = shutil.copytree(text_folder, tmp_path / "coded")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(EnvironmentFault, match="cannot load extractor"):
        load_extractor(f"hub-text:{folder}", "text")
    assert not (tmp_path / "ran").exists()


def test_a_model_of_another_kind_is_refused(text_folder):
    with pytest.raises(UsageError, match="not fit for hub-audio: expected an encoder with input_v"):
        load_extractor(f"hub-audio:{text_folder}", "audio")
    with pytest.raises(UsageError, match="makes text features: name one that makes audio"):
        load_extractor(f"hub-text:{text_folder}", "audio")
