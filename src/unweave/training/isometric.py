"""An encoder that keeps lengths: moments of a film are as far apart as their codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unweave._random import Stream, generator, torch_seeded
from unweave._settings import TrainingConfig
from unweave._storage import writable_folder, write_json
from unweave.datasets.pixels import as_array, to_uint8
from unweave.models import Network
from unweave.models.networks import build_encoder, initialise
from unweave.training.checkpoint import MODEL, Learner, resume, save_checkpoint, steps_done
from unweave.training.course import CONFIG, TRAINING_REVISION, course_key
from unweave.training.description import check_same_run
from unweave.training.device import open_fabric
from unweave.training.loop import DivergedError

__all__ = ["encode_isometric", "length_loss", "spread_loss", "train_isometric"]

_WARM_UP = 300  # steps until the learning rate is whole


def length_loss(codes: Tensor, spacing: float) -> Tensor:
    """Mean squared relative error of the distances between codes (n, frames, latents) of films.

    Frames that are k apart are to be ``k * spacing`` apart: straight uniform motion, as long as a
    film is short against the radius that the manifold curves with.
    """
    first, second = torch.triu_indices(codes.shape[1], codes.shape[1], 1, device=codes.device)
    lengths = (codes[:, first] - codes[:, second]).norm(dim=2)
    return (lengths / ((second - first) * spacing) - 1).square().mean()


def spread_loss(codes: Tensor, margin: float) -> Tensor:
    """What codes (n, frames, latents) of films that follow each other in the batch lack to the
    ``margin`` between them, squared: without it the manifold may be folded onto itself.
    """  # noqa: D205
    apart = (codes - codes.roll(1, 0)).norm(dim=2)
    return torch.relu(margin - apart).square().mean()


def train_isometric(
    network: Network,
    clips: np.ndarray,
    config: TrainingConfig,
    *,
    spacing: float,
    margin: float = 1.0,
    pooling: int = 1,
    rolls: bool = False,
    folder: str | Path | None = None,
    at_step: Callable[[int], None] | None = None,
) -> nn.Module:
    r"""Train an encoder from images (n, channels, height, width) to codes (n, latents).

    It sees short films of straight uniform motion, and is to keep their lengths. Then its codes lie
    on a manifold with the metric of the world that was filmed: a product, where that is one, which
    the distances between pixels are not. Its only supervision is that all motion has one speed: it
    knows neither the factors nor which of them moved.

    Parameters
    ----------
    network
        Which network; its ``n_latents`` must have room for the manifold without stretching.
    clips
        Films (n, frames, height, width, channels), whose pixels are converted by the rule of
        :class:`~unweave.datasets.pixels.PixelScale`.
    config
        Budget and optimiser; a batch has ``batch_size`` films. The learning rate falls to zero as a
        cosine does.
    spacing
        Length of the motion between two frames.
    margin
        Codes of different films are pushed apart up to this length.
    pooling
        Pixels on a side that are averaged into one before the network sees them.
    rolls
        Whether each film is turned by a random angle about the middle of the image, as by a camera
        that rolls: lengths are none the less the same, and no film is seen twice. What leaves the
        circle in the image is lost.
    folder
        Where checkpoints go, from which an interrupted run resumes.
    at_step
        Called with the number of steps done after each step.

    Raises
    ------
    DivergedError
        If the loss is no longer finite.
    ValueError
        If the films have another shape, their pixels cannot be converted, images to be turned are
        not square, this machine lacks the device, ``folder`` holds another run, or ``config`` has
        another optimiser, schedule, budget or precision. The learning rate depends on the number of
        steps, so that a run of fewer steps is another one.
    """
    _check_settings(config)
    assert config.steps is not None
    clips = _checked_films(clips, rolls)
    height, width, channels = clips.shape[2:]
    with torch_seeded(config.seed, Stream.WEIGHTS):
        pooled = (height // pooling, width // pooling, channels)
        layers = build_encoder(network, pooled, n_outputs=network.n_latents)
        initialise(layers)
        encoder = nn.Sequential(nn.AvgPool2d(pooling), *map(_smooth, layers))
    device = open_fabric(config, devices=1).device
    encoder.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.Adam(encoder.parameters(), lr=config.learning_rate, fused=True)
    trained = {MODEL: Learner(encoder, adam)}
    course = None
    if folder is not None:
        folder = writable_folder(folder)
        description = {
            "network": network.model_dump(mode="json"),
            "image_shape": [height, width, channels],
            "training": config.model_dump(mode="json"),
            "isometric": {"spacing": spacing, "margin": margin, "pooling": pooling, "rolls": rolls},
            "revision": TRAINING_REVISION,
        }
        check_same_run(folder, description, steps_done(folder), may_continue=False)
        write_json(folder / CONFIG, description)
        course = course_key(description)
    done = resume(folder, trained, run=course).step
    films = _resident(clips, device)
    for step in range(done, config.steps):
        rate = 0.5 * (1 + math.cos(math.pi * step / config.steps)) * min(1, (step + 1) / _WARM_UP)
        for group in adam.param_groups:
            group["lr"] = config.learning_rate * rate
        rng = generator(config.seed, Stream.ROWS, step)
        images = _images(films[rng.integers(0, len(clips), config.batch_size)], device)
        if rolls:
            images = _rolled(images, 2 * np.pi * rng.random(config.batch_size))
        codes = _codes(encoder, images)
        loss = length_loss(codes, spacing) + spread_loss(codes, margin)
        adam.zero_grad()
        loss.backward()
        adam.step()

        done = step + 1
        if done % config.checkpoint_every == 0 or done == config.steps:
            if not math.isfinite(loss.item()):
                raise DivergedError(
                    f"training diverged: the loss was {loss.item()} by step {done}; lower the "
                    "learning rate"
                )
            if folder:
                save_checkpoint(folder, done, trained, keep={config.steps}, run=course)
        if at_step:
            at_step(done)
    return encoder.eval()


@torch.no_grad()
def encode_isometric(encoder: nn.Module, images: np.ndarray, *, batch: int = 512) -> np.ndarray:
    """Codes (n, ..., latents) float64 of images (n, ..., height, width, channels).

    Pixels are converted by the rule of :class:`~unweave.datasets.pixels.PixelScale`.

    Raises
    ------
    ValueError
        If they cannot be converted.
    """
    images = to_uint8(images)
    device = next(encoder.parameters()).device
    pieces = [
        _codes(encoder, _images(images[start : start + batch], device)).cpu().numpy()
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(pieces).astype(np.float64)


def _check_settings(config: TrainingConfig) -> None:
    """Refuse settings that have no effect here."""
    plain = TrainingConfig()
    names = [
        "optimizer", "betas", "gradient_clip", "gradient_clip_norm", "schedule", "warm_up_steps",
        "cpu_minutes",
    ]  # fmt: skip
    changed = [name for name in names if getattr(config, name) != getattr(plain, name)]
    if config.precision not in ("auto", "32-true"):
        changed.append("precision")
    if changed:
        raise ValueError(
            f"train_isometric has Adam with a cosine schedule in float32, for a number of steps: "
            f"leave out {', '.join(changed)}"
        )


def _checked_films(clips: np.ndarray, rolls: bool) -> np.ndarray:
    """The films (n, frames, height, width, channels) as uint8."""
    films = as_array(clips, "films")
    if films.ndim != 5 or 0 in films.shape or films.shape[1] < 2:
        raise ValueError(
            "films must be of shape (n, frames, height, width, channels), of at least one film of "
            f"two frames, not {films.shape}"
        )
    if rolls and films.shape[2] != films.shape[3]:
        raise ValueError(
            f"images of {films.shape[2]} x {films.shape[3]} pixels cannot be turned, square ones "
            "can: leave rolls out, or crop them"
        )
    return to_uint8(films, what="films")


def _resident(clips: np.ndarray, device: torch.device) -> np.ndarray | Tensor:
    """The films on a GPU that has room for them twice, or where they are."""
    if device.type != "cuda" or 2 * clips.nbytes > torch.cuda.mem_get_info(device)[0]:
        return clips
    return torch.from_numpy(np.array(clips)).to(device)


def _images(stored: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """Pixels (..., channels, height, width) in [0, 1] of uint8 (..., height, width, channels)."""
    pixels = torch.from_numpy(np.array(stored)) if isinstance(stored, np.ndarray) else stored
    return pixels.to(device).movedim(-1, -3).float() / 255


def _rolled(films: Tensor, angles: np.ndarray) -> Tensor:
    """Films (n, frames, channels, height, width), each turned by its angle, with cubic weights.

    Linear ones blur: the encoder would learn from images that are not like those that it is for.
    """
    cosines, sines = np.cos(angles), np.sin(angles)
    zeros = np.zeros_like(angles)
    matrices = np.array([[cosines, -sines, zeros], [sines, cosines, zeros]]).transpose(2, 0, 1)
    flat = films.flatten(1, 2)
    theta = torch.from_numpy(matrices.astype(np.float32)).to(films.device)
    grid = nn.functional.affine_grid(theta, list(flat.shape), align_corners=False)
    turned = nn.functional.grid_sample(flat, grid, mode="bicubic", align_corners=False)
    return turned.clamp(0, 1).reshape(films.shape)  # cubic weights overshoot


def _smooth(layer: nn.Module) -> nn.Module:
    """A unit without a kink in place of one with: lengths are derivatives, and those would jump."""
    return nn.GELU() if isinstance(layer, nn.ReLU) else layer


def _codes(encoder: nn.Module, images: Tensor) -> Tensor:
    """Codes (..., latents) of images (..., channels, height, width)."""
    flat = images.reshape(-1, *images.shape[-3:]).contiguous(memory_format=torch.channels_last)
    return encoder(flat).reshape(*images.shape[:-3], -1)
