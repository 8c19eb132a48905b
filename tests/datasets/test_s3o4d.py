"""The reader of the published S3O4D files, on files of their format."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from unweave.datasets import DATASETS, S3O4D
from unweave.datasets.dataset import need_factors

N = 5


def latents(n=N, seed=0):
    rng = np.random.default_rng(seed)
    light = rng.standard_normal((n, 3))
    turn = Rotation.random(n, random_state=seed)
    return {
        "illumination": light / np.linalg.norm(light, axis=1, keepdims=True),
        "pose_quat": turn.as_quat()[:, [3, 0, 1, 2]],
        "pose_mat": turn.as_matrix(),
    }


def write(folder, prefix="", first=0, n=N, shape=(256, 256, 3), arrays=None):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{prefix}images.zip", "w") as archive:
        archive.writestr("images/", "")
        for i in reversed(range(n)):  # as zips go, in no order
            pixels = np.full(shape, 40 * i, dtype=np.uint8)
            pixels[: shape[0] // 2] += 20
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=98)
            archive.writestr(f"images/{first + i:05d}.jpg", buffer.getvalue())
    np.savez(folder / f"{prefix}latents.npz", **(arrays or latents(n)))
    return folder


def test_images_and_latents_are_read_in_their_order(tmp_path):
    data = S3O4D(write(tmp_path / "bunny"), size=32)
    assert len(data) == N
    images = data.images([3, 0])
    assert images.shape == (2, 32, 32, 1)
    assert images.dtype == np.uint8
    np.testing.assert_allclose(images[0, 2:14], 140, atol=2)
    np.testing.assert_allclose(images[1, 18:], 0, atol=2)
    expected = latents()
    np.testing.assert_allclose(data.rotations, expected["pose_mat"], atol=1e-6)
    np.testing.assert_allclose(data.lights, expected["illumination"])
    np.testing.assert_allclose(data.points[:, :9], expected["pose_mat"].reshape(N, 9), atol=1e-6)


def test_the_test_split_counts_from_80_000(tmp_path):
    folder = write(tmp_path / "dragon", "test_", first=80_000)
    data = S3O4D(folder, split="test", size=256)
    np.testing.assert_allclose(data.images([2])[0, 200, :, 0], 80, atol=2)
    with pytest.raises(FileNotFoundError, match=r"no train_images.zip \(it holds test_images"):
        S3O4D(folder, split="train")


def test_training_takes_it(tmp_path):
    pytest.importorskip("torch")
    from unweave.models import Network, build_vae
    from unweave.models.objectives import OBJECTIVES
    from unweave.training import TrainingConfig, train

    data = S3O4D(write(tmp_path / "bunny"), size=16)
    network = Network(width=0.1, n_latents=2)
    config = TrainingConfig(steps=2, batch_size=4)
    model = train(build_vae(network, data.image_shape, seed=0), OBJECTIVES["vae"](), data, config)
    assert model.encode(data.images([0])).shape == (1, 2)
    with pytest.raises(ValueError, match="s3o4d has no levels of factors"):
        train(build_vae(network, data.image_shape, seed=0), OBJECTIVES["dc_ign"](), data, config)


def test_it_is_loaded_by_name_and_kept(tmp_path):
    folder = write(tmp_path / "bunny")
    data = DATASETS["s3o4d"].load(str(folder), size=32)
    before = data.images([3, 0])
    told = []
    assert data.prepare(lambda done, total: told.append((done, total))) is data
    assert told == [(N, N)]
    assert data.cache_file.exists()
    np.testing.assert_array_equal(S3O4D(folder, size=32).images([3, 0]), before)
    data.prepare(lambda done, total: pytest.fail("decoded again"))
    with pytest.raises(ValueError, match=r"scores.* s3o4d has factors that are points of SO\(3\)"):
        need_factors(data, "scores compare codes with factors")
    with pytest.raises(FileNotFoundError, match="has no images.zip .*dm_s3o4d"):
        DATASETS["s3o4d"].load()


def test_identity_is_of_the_content_and_the_size(tmp_path):
    data = S3O4D(write(tmp_path / "bunny"))
    assert S3O4D(write(tmp_path / "copy")).identity == data.identity
    assert S3O4D(tmp_path / "bunny", size=32).identity != data.identity
    other = write(tmp_path / "other", arrays=latents(seed=1))
    assert S3O4D(other).identity != data.identity
    with zipfile.ZipFile(tmp_path / "copy" / "images.zip", "w") as archive:
        for i in range(N):
            archive.writestr(f"images/{i:05d}.jpg", b"others")
    assert S3O4D(tmp_path / "copy").identity != data.identity


def test_what_is_not_s3o4d_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"empty or not there\): give the folder of one"):
        S3O4D(tmp_path / "none")
    with pytest.raises(ValueError, match="does not divide"):
        S3O4D(tmp_path, size=60)
    few = write(tmp_path / "few", arrays=latents(4))
    with pytest.raises(ValueError, match="holds 5 images, and the latents are of 4"):
        S3O4D(few)
    mixed = write(tmp_path / "mixed", arrays={**latents(), "pose_mat": latents(seed=1)["pose_mat"]})
    with pytest.raises(ValueError, match="of different rotations"):
        S3O4D(mixed)
    long = write(tmp_path / "long", arrays={**latents(), "pose_quat": 2 * latents()["pose_quat"]})
    with pytest.raises(ValueError, match="is not the latents' file of S3O4D: lengths are not 1"):
        S3O4D(long)
    other = write(tmp_path / "other", arrays={"illumination": latents()["illumination"]})
    with pytest.raises(ValueError, match="latents' file of S3O4D .*: it needs illumination"):
        S3O4D(other)
    small = S3O4D(write(tmp_path / "small", shape=(128, 128)))
    with pytest.raises(ValueError, match=r"is of shape \(128, 128\), not 256 x 256"):
        small.images([0])
    (tmp_path / "few" / "images.zip").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="not a complete zip file"):
        S3O4D(few)
    damaged = write(tmp_path / "damaged")
    with zipfile.ZipFile(damaged / "images.zip", "w") as archive:
        for i in range(N):
            archive.writestr(f"{i:05d}.jpg", b"no image")
    with pytest.raises(ValueError, match=r"00001.jpg in .* is damaged .*: fetch the file again"):
        S3O4D(damaged).images([1])
