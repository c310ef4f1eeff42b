"""Extractors of any text, sound or face model in the format of Hugging Face transformers.

They come with the extra `hub`, and are named hub-text:MODEL, hub-audio:MODEL and
hub-visual:MODEL, MODEL being ORGANISATION/NAME of the hub or a local folder, with @REVISION if you
like. Weights are read from safetensors only, and no code of a model is run. They run on the GPU
where there is one.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Any, ClassVar, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.features.extractor import (
    BLOCK_SECONDS,
    ExtractorSpec,
    from_extra,
    pool,
    pool_blocks,
)
from annotator.features.faces import FaceDetector, prominent
from annotator.features.snapshot import Snapshot, snapshot
from annotator.features.sound import SAMPLE_RATE, playable
from annotator.types import MAX_STEPS, Modality

VERSION = "1"  # of what is done here around the models
MAX_CHARACTERS = 40_000  # read of a text: 500 tokens are about 2,500
STEP_SAMPLES = SAMPLE_RATE // 10
BLOCK_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE
REACH_SAMPLES = 80  # a state of wav2vec 2.0's convolutions sees 400 samples, the next is 320 on
SIDE_PER_BOX = 1.3  # crop side over the root of the face's box: chin and hair are in
BATCH = 16  # faces a call: bounds the memory of the network's maps
_LOCAL = {"local_files_only": True, "trust_remote_code": False}  # of every from_pretrained
# Weights that a checkpoint may lack without harm: unused here, or replaced by a mean.
_DISPENSABLE = ("pooler.", "masked_spec_embed")


class _Hub:
    """What the three have in common: a model, its files and its name.

    `takes` is the name of the model's input by which transformers tells the modalities apart.
    """

    family: ClassVar[str]
    modality: ClassVar[Modality]
    rate_hz: ClassVar[float | None]
    takes: ClassVar[str]

    def __init__(self, model: str, threads: int = 1) -> None:
        """Load a model; on a CPU, torch in this process runs on `threads` threads from now on.

        Raises:
            UsageError: there is no such model, or it is of another kind.
            EnvironmentFault: the extra is not installed, or the files cannot be got.
        """
        self._transformers = _transformers()
        self.spec = self.spec_of(model)
        self._files = snapshot(model)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self._device.type == "cpu":
            torch.set_num_threads(threads)
        self._network, self._missing = self._load(self._files)

    @classmethod
    def spec_of(cls, model: str) -> ExtractorSpec:
        """The spec of a model, whose name holds the revision, from its config.json.

        Raises:
            UsageError: there is no such model, or it is of another kind.
            EnvironmentFault: the extra is not installed, or the files cannot be got.
        """
        config = _transformers().AutoConfig
        files = snapshot(model)
        described = config.from_pretrained(files.folder, **_LOCAL)
        if cls.modality == "visual":  # CLIP and its like are of two parts
            described = getattr(described, "vision_config", described)
        width = getattr(described, "hidden_size", None)
        if not isinstance(width, int) or getattr(described, "is_encoder_decoder", False):
            raise cls._unfit(files.reference)
        name = f"{cls.family}:{files.reference}"
        return ExtractorSpec(name, VERSION, cls.modality, width, cls.rate_hz)

    @property
    def id(self) -> str:
        """Family, model, revision and version, as a model of ours records them."""
        return self.spec.id

    def _load(self, files: Snapshot) -> tuple[Any, frozenset[str]]:
        """The network, and the names of the dispensable weights that are not in its files."""
        network, report = self._transformers.AutoModel.from_pretrained(
            files.folder,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **_LOCAL,
        )
        missing = frozenset(report["missing_keys"])
        lacking = [key for key in sorted(missing) if not any(part in key for part in _DISPENSABLE)]
        if lacking:  # transformers would go on with random numbers in their place
            raise UsageError(
                f"model {files.reference!r} lacks weights, {lacking[0]} among them: "
                "take another, or get its files again"
            )
        if self.modality == "visual":
            network = getattr(network, "vision_model", network)
        if network.main_input_name != self.takes:
            raise self._unfit(files.reference)
        return network.to(self._device).eval(), missing

    @torch.inference_mode()
    def _run(self, **inputs: torch.Tensor) -> Any:
        return self._network(**{key: value.to(self._device) for key, value in inputs.items()})

    @classmethod
    def _unfit(cls, reference: str) -> UsageError:
        return UsageError(
            f"model {reference!r} is not fit for {cls.family}: "
            f"expected an encoder with {cls.takes} and a hidden_size"
        )


class HubText(_Hub):
    """The last states of any text encoder, one for each token; of long texts, the beginning."""

    family: ClassVar[str] = "hub-text"
    modality: ClassVar[Modality] = "text"
    rate_hz: ClassVar[float | None] = None
    takes: ClassVar[str] = "input_ids"

    def __init__(self, model: str, threads: int = 1) -> None:
        """Load network and tokenizer; it raises as `_Hub` does."""
        super().__init__(model, threads)
        self._tokenizer = self._transformers.AutoTokenizer.from_pretrained(
            self._files.folder, **_LOCAL
        )
        positions = getattr(self._network.config, "max_position_embeddings", MAX_STEPS)
        self._longest = min(MAX_STEPS, positions, self._tokenizer.model_max_length)

    def embed(self, text: str) -> NDArray[np.float16]:
        """The token states (steps, dimension) of a text, at most MAX_STEPS.

        Raises:
            ValueError: the text is blank, or a state is too large for float16.
        """
        if not text.strip():
            raise ValueError("a blank text has no features: mark it absent")
        tokens = self._tokenizer(
            text[:MAX_CHARACTERS], truncation=True, max_length=self._longest, return_tensors="pt"
        )
        return pool_blocks([self._run(**tokens).last_hidden_state[0].cpu().numpy()])


class HubAudio(_Hub):
    """The last states of WavLM, HuBERT, wav2vec 2.0 and their like, each the mean over 100 ms."""

    family: ClassVar[str] = "hub-audio"
    modality: ClassVar[Modality] = "audio"
    rate_hz: ClassVar[float | None] = SAMPLE_RATE / STEP_SAMPLES
    takes: ClassVar[str] = "input_values"

    def __init__(self, model: str, threads: int = 1) -> None:
        """Load network and normalisation; it raises as `_Hub` does."""
        super().__init__(model, threads)
        self._prepare = self._transformers.AutoFeatureExtractor.from_pretrained(
            self._files.folder, **_LOCAL
        )
        stride = getattr(self._network.config, "inputs_to_logits_ratio", None)
        if stride is None or stride > STEP_SAMPLES or self._prepare.sampling_rate != SAMPLE_RATE:
            raise UsageError(
                f"model {self._files.reference!r} is not fit for {self.family}: expected one of "
                "16 kHz sound itself, as WavLM or HuBERT, with ten states a second or more"
            )

    def block(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The features (ceil(n / 1600), dimension) of samples (n,), 16 kHz mono, 1 <= n <= 30 s.

        Raises:
            ValueError: there are no samples, or too many.
        """
        if not 1 <= len(samples) <= BLOCK_SAMPLES:
            raise ValueError(f"expected 1 to {BLOCK_SAMPLES} samples, got {len(samples)}")
        sound = self._prepare(playable(samples), sampling_rate=SAMPLE_RATE)["input_values"][0]
        steps = -(-len(samples) // STEP_SAMPLES)
        padded = np.pad(sound, (0, steps * STEP_SAMPLES + REACH_SAMPLES - len(samples)))
        states = self._run(input_values=torch.from_numpy(padded.astype(np.float32))[None])
        return pool(states.last_hidden_state[0].cpu().numpy(), steps)


class HubVisual(_Hub):
    """What CLIP's vision part, ViT, DINOv2 and their like make of the most prominent face.

    It is the model's own pooled state, or the mean over the patches of a model without one. The
    face is cut out in colour, unturned.
    """

    family: ClassVar[str] = "hub-visual"
    modality: ClassVar[Modality] = "visual"
    rate_hz: ClassVar[float | None] = 5.0  # frames a second of video
    takes: ClassVar[str] = "pixel_values"

    def __init__(self, model: str, threads: int = 1) -> None:
        """Load network, normalisation and face detector; it raises as `_Hub` does."""
        super().__init__(model, threads)
        self._detector = FaceDetector(threads)
        # The numbers alone: the processors themselves give other pixels with torchvision than
        # without it, under the same name.
        module = from_extra("transformers.image_processing_base", "hub")
        numbers, _ = module.ImageProcessingMixin.get_image_processor_dict(
            self._files.folder, local_files_only=True
        )
        self._side = _side(numbers.get("crop_size") or numbers["size"])
        self._mean = np.array(numbers["image_mean"], np.float32)
        self._deviation = np.array(numbers["image_std"], np.float32)

    def observe(self, image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """The most prominent face of a BGR frame (h, w, 3) in RGB, as large as the model sees it.

        None of a frame without one.
        """
        face = prominent(self._detector.detect(image))
        if face is None:
            return None
        side = max(1, round(SIDE_PER_BOX * sqrt(face.area)))
        x, y = (float(middle) for middle in (face.box[:2] + face.box[2:]) / 2)
        square = cv2.getRectSubPix(image, (side, side), (x, y))  # repeats the frame's border
        sized = cv2.resize(square, (self._side, self._side), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(sized[..., ::-1], np.uint8)

    def embed(self, observations: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The features (steps, dimension) of at least one observation, in their order."""
        starts = range(0, len(observations), BATCH)
        return np.concatenate([self._embed(observations[at : at + BATCH]) for at in starts])

    def _embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        values = (np.stack(crops).astype(np.float32) / 255 - self._mean) / self._deviation
        pixels = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 1, 2)))
        output = self._run(pixel_values=pixels)
        pooled = output.get("pooler_output")
        if pooled is None or self._missing:
            pooled = output.last_hidden_state.mean(dim=1)
        return cast(NDArray[np.float32], pooled.cpu().numpy())


def _side(size: int | dict[str, int]) -> int:
    """The side of the square a model sees, of the ways to write it."""
    return size if isinstance(size, int) else size.get("height") or size["shortest_edge"]


def _transformers() -> Any:
    """The library, without its progress bars and remarks: a worker's output is the progress."""
    transformers = from_extra("transformers", "hub")
    transformers.utils.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    return transformers
