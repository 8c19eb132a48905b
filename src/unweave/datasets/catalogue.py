"""The datasets that have a name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from unweave.datasets.dataset import ImageDataset

__all__ = ["DATASETS", "DatasetEntry", "Download"]


@dataclass(frozen=True)
class Download:
    """An official file at a stable address."""

    url: str
    known_hash: str
    """``algorithm:hexadecimal`` of the file."""
    file: str
    """Name that the file has in the dataset's folder in the cache."""
    size: int
    """Bytes, about; 0 if not known."""


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a dataset before any of its files is opened."""

    name: str
    module: str
    """In ``unweave.datasets``; imported when the dataset is asked for."""
    function: str
    """Class or function in the module. It takes the options after the ``?`` of a name; if the
    dataset comes from official files, its first argument is ``path``, None for the cache."""
    text: str
    """One line that says what the images show."""
    n_images: int | None
    image_shape: tuple[int, int, int] | None
    factors: str
    """Names and numbers of levels, as "shape 3, scale 6"."""
    licence: str
    source: str
    """Paper or address."""
    files: tuple[str, ...] = ()
    """Names of the official files; none if the images are drawn here."""
    downloads: tuple[Download, ...] = ()
    """Files that `unweave data fetch` gets."""
    where: str = ""
    """Where to get the files that cannot be fetched."""

    def load(self, path: str | None = None, **options: Any) -> ImageDataset:
        """Open the dataset; ``path`` is a file or folder with the official files."""
        module = importlib.import_module(f"unweave.datasets.{self.module}")
        function = getattr(module, self.function)
        if path is not None:
            return function(path, **options)
        return function(**options)


_MPI3D_BYTES = 12_740_198_762
_TRAINING = "smallnorb-5x46789x9x18x6x2x96x96-training"
_TESTING = "smallnorb-5x01235x9x18x6x2x96x96-testing"
_NORB = (
    (f"{_TRAINING}-dat.mat.gz", "66054832f9accfe74a0f4c36a75bc0a2"),
    (f"{_TRAINING}-cat.mat.gz", "23c8b86101fbf0904a000b43d3ed2fd9"),
    (f"{_TRAINING}-info.mat.gz", "51dee1210a742582ff607dfd94e332e3"),
    (f"{_TESTING}-dat.mat.gz", "e4ad715691ed5a3a5f138751a4ceb071"),
    (f"{_TESTING}-cat.mat.gz", "5aa791cd7e6016cf957ce9bdb93b8603"),
    (f"{_TESTING}-info.mat.gz", "a9454f3864d7fd4bb3ea7fc3eb84924e"),
)


def _mpi3d(
    kind: str, function: str, text: str, *, md5: str = "", file: str = "", where: str = ""
) -> DatasetEntry:
    """One of the MPI3D sets: those with an MD5 have 6 colours and 6 shapes, the others 4 and 4."""
    file = file or f"mpi3d_{kind}.npz"
    url = f"https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/{file}"
    n = 6 if md5 else 4
    return DatasetEntry(
        f"mpi3d_{kind}",
        module="official.mpi3d",
        function=function,
        text=f"an object on a robot's arm, {text}",
        n_images=n * n * 28_800,
        image_shape=(64, 64, 3),
        factors=f"object_color {n}, object_shape {n}, object_size 2, camera_height 3, "
        "background_color 3, horizontal_axis 40, vertical_axis 40",
        licence="CC-BY-4.0",
        source="https://github.com/rr-learning/disentanglement_dataset",
        files=(file,),
        downloads=(Download(url, f"md5:{md5}", file, _MPI3D_BYTES),) if md5 else (),
        where=where,
    )


_ENTRIES = (
    DatasetEntry(
        "dsprites",
        module="drawn.dsprites",
        function="DSprites",
        text="one white sprite on black, drawn here bit for bit",
        n_images=737_280,
        image_shape=(64, 64, 1),
        factors="shape 3, scale 6, orientation 40, posX 32, posY 32",
        licence="Apache-2.0",
        source="https://github.com/google-deepmind/dsprites-dataset",
        downloads=(
            Download(
                "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
                "md5:7da33b31b13a06f4b04a70402ce90c2e",
                "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
                26_000_000,
            ),
        ),
    ),
    DatasetEntry(
        "rooms",
        module="drawn.rooms",
        function="Rooms",
        text="an object in a room, in colour, rendered here; like Shapes3D, with other images",
        n_images=480_000,
        image_shape=(64, 64, 3),
        factors="floor_hue 10, wall_hue 10, object_hue 10, scale 8, shape 4, orientation 15",
        licence="Apache-2.0",
        source="unweave",
    ),
    DatasetEntry(
        "torus",
        module="drawn.torus",
        function="Torus",
        text="a white arrow on a plane without a border, drawn here",
        n_images=4_096,
        image_shape=(32, 32, 1),
        factors="direction 16, x 16, y 16",
        licence="Apache-2.0",
        source="unweave",
    ),
    DatasetEntry(
        "shapes3d",
        module="official.shapes3d",
        function="Shapes3D",
        text="a coloured object in a coloured room, rendered",
        n_images=480_000,
        image_shape=(64, 64, 3),
        factors="floor_hue 10, wall_hue 10, object_hue 10, scale 8, shape 4, orientation 15",
        licence="Apache-2.0",
        source="https://github.com/google-deepmind/3d-shapes",
        files=("3dshapes.h5",),
        downloads=(
            Download(
                "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
                "md5:099a2078d58cec4daad0702c55d06868",
                "3dshapes.h5",
                255_000_000,
            ),
        ),
    ),
    _mpi3d("toy", "MPI3DToy", "simple renderings", md5="55889cb7c7dfc655d6e0277beee88868"),
    _mpi3d(
        "realistic",
        "MPI3DRealistic",
        "realistic renderings",
        md5="59a6225b88b635365f70c91b3e52f70f",
    ),
    _mpi3d("real", "MPI3DReal", "photographs", md5="0f33f609918fb5c97996692f91129802"),
    _mpi3d(
        "real_complex",
        "MPI3DRealComplex",
        "photographs of everyday objects",
        file="real3d_complicated_shapes_ordered.npz",
        where="https://drive.google.com/file/d/1Tp8eTdHxgUMtsZv5uAoYAbJR1BOa_OQm/view",
    ),
    _mpi3d(
        "challenge_toy",
        "MPI3DChallengeToy",
        "simple renderings, of the challenge of 2019",
        file="sim_toy_64x_ordered_without_heldout_factors.npz",
        where="someone who has it (its official address no longer answers)",
    ),
    DatasetEntry(
        "cars3d",
        module="official.cars3d",
        function="Cars3D",
        text="cars seen from all sides, rendered",
        n_images=17_568,
        image_shape=(128, 128, 3),
        factors="elevation 4, azimuth 24, object_type 183",
        licence="none stated",
        source="https://papers.nips.cc/paper/5845-deep-visual-analogy-making",
        files=("nips2015-analogy-data.tar.gz",),
        downloads=(
            Download(
                "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
                "md5:4e866a7919c1beedf53964e6f7a23686",
                "nips2015-analogy-data.tar.gz",
                0,
            ),
        ),
    ),
    DatasetEntry(
        "smallnorb",
        module="official.smallnorb",
        function="SmallNORB",
        text="toys of five categories, photographed from all sides",
        n_images=48_600,
        image_shape=(96, 96, 1),
        factors="category 5, elevation 9, azimuth 18, lighting 6; nuisance: instance 10",
        licence="research use only",
        source="https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/",
        files=tuple(file for file, _ in _NORB),
        downloads=tuple(
            Download(
                f"https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/{file}", f"md5:{md5}", file, 0
            )
            for file, md5 in _NORB
        ),
    ),
    DatasetEntry(
        "color_dsprites",
        module="drawn.dsprites_variants",
        function="ColorDSprites",
        text="dSprites in a random colour for each image, drawn here (?seed=)",
        n_images=737_280,
        image_shape=(64, 64, 3),
        factors="shape 3, scale 6, orientation 40, posX 32, posY 32",
        licence="Apache-2.0",
        source="https://arxiv.org/abs/1811.12359",
    ),
    DatasetEntry(
        "noisy_dsprites",
        module="drawn.dsprites_variants",
        function="NoisyDSprites",
        text="white dSprites on random noise, drawn here (?seed=)",
        n_images=737_280,
        image_shape=(64, 64, 3),
        factors="shape 3, scale 6, orientation 40, posX 32, posY 32",
        licence="Apache-2.0",
        source="https://arxiv.org/abs/1811.12359",
    ),
    DatasetEntry(
        "background_dsprites",
        module="drawn.dsprites_variants",
        function="BackgroundDSprites",
        text="dSprites that invert a picture behind them, as Scream-dSprites (?picture=FILE&seed=)",
        n_images=737_280,
        image_shape=(64, 64, 3),
        factors="shape 3, scale 6, orientation 40, posX 32, posY 32",
        licence="Apache-2.0",
        source="https://arxiv.org/abs/1811.12359",
    ),
    DatasetEntry(
        "abstract_dsprites",
        module="drawn.dsprites_variants",
        function="AbstractDSprites",
        text="dSprites in six colours on five greys, drawn here",
        n_images=22_118_400,
        image_shape=(64, 64, 3),
        factors="background_color 5, object_color 6, shape 3, scale 6, orientation 40 (nuisance), "
        "posX 32, posY 32",
        licence="Apache-2.0",
        source="https://arxiv.org/abs/1905.12506",
    ),
    DatasetEntry(
        "xysquares",
        module="drawn.xy",
        function="XYSquares",
        text="three squares on a grid of places, all equally far apart in pixels, drawn here",
        n_images=262_144,
        image_shape=(64, 64, 3),
        factors="x_R 8, y_R 8, x_G 8, y_G 8, x_B 8, y_B 8",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
    DatasetEntry(
        "xysquares_minimal",
        module="drawn.xy",
        function="XYSquaresMinimal",
        text="xysquares with its default settings",
        n_images=262_144,
        image_shape=(64, 64, 3),
        factors="x_R 8, y_R 8, x_G 8, y_G 8, x_B 8, y_B 8",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
    DatasetEntry(
        "xysinglesquare",
        module="drawn.xy",
        function="XYSingleSquare",
        text="one white square on a grid of places, drawn here",
        n_images=64,
        image_shape=(64, 64, 1),
        factors="x 8, y 8",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
    DatasetEntry(
        "xcolumns",
        module="drawn.xy",
        function="XColumns",
        text="three columns on a line of places, drawn here",
        n_images=512,
        image_shape=(64, 64, 3),
        factors="x_R 8, x_G 8, x_B 8",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
    DatasetEntry(
        "xyobject",
        module="drawn.xyobject",
        function="XYObject",
        text="a square that moves, grows and changes colour, drawn here",
        n_images=75_000,
        image_shape=(64, 64, 3),
        factors="x 25, y 25, scale 5, color 24",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
    DatasetEntry(
        "xyobject_shaded",
        module="drawn.xyobject",
        function="XYObjectShaded",
        text="xyobject with hue and shade as two factors",
        n_images=75_000,
        image_shape=(64, 64, 3),
        factors="x 25, y 25, scale 5, intensity 4, color 6",
        licence="Apache-2.0",
        source="https://github.com/nmichlo/disent",
    ),
)

_FURTHER_ENTRIES = (
    DatasetEntry(
        "objects3d",
        module="drawn.objects3d",
        function="Objects3D",
        text="a rendered object at any rotation and under any light, drawn here",
        n_images=10_000,
        image_shape=(64, 64, 1),
        factors="rotation SO(3), light S^2",
        licence="Apache-2.0; the bunny is in the public domain",
        source="https://arxiv.org/abs/2006.12982",
    ),
    DatasetEntry(
        "s3o4d",
        module="official.s3o4d",
        function="S3O4D",
        text="the Stanford bunny or dragon at any rotation and under any light",
        n_images=100_000,
        image_shape=(64, 64, 1),
        factors="rotation SO(3), light S^2",
        licence="not stated with the files",
        source="https://arxiv.org/abs/2006.12982",
        files=("images.zip", "latents.npz"),
        where="https://console.cloud.google.com/storage/browser/dm_s3o4d, a folder for each object",
    ),
    DatasetEntry(
        "falcor3d",
        module="official.nvidia",
        function="Falcor3D",
        text="a rendered living room under lights and cameras that move",
        n_images=233_280,
        image_shape=(128, 128, 3),
        factors="lighting_intensity 5, lighting_x 6, lighting_y 6, lighting_z 6, camera_x 6, "
        "camera_y 6, camera_z 6",
        licence="CC-BY-4.0",
        source="https://github.com/NVlabs/High-res-disentanglement-datasets",
        files=("train-rec.labels", "images"),
        where="https://drive.google.com/uc?id=1XAQfFK1x6cpN1eiovbP0hVfLTm5SsSoJ "
        "(Falcor3D_down128, 3.7 GB, to be unpacked)",
    ),
    DatasetEntry(
        "isaac3d",
        module="official.nvidia",
        function="Isaac3D",
        text="a rendered kitchen with a robot arm that holds an object",
        n_images=737_280,
        image_shape=(128, 128, 3),
        factors="object_shape 3, robot_x 8, robot_y 5, camera_height 4, object_scale 4, "
        "lighting_intensity 4, lighting_y 6, object_color 4, wall_color 4",
        licence="CC-BY-4.0",
        source="https://github.com/NVlabs/High-res-disentanglement-datasets",
        files=("labels.npy", "images"),
        where="https://drive.google.com/uc?id=1OmQ1G2wnm6eTsSFGTKFZZAh5D3nQTW1B "
        "(Isaac3D_down128, 13 GB, to be unpacked)",
    ),
    DatasetEntry(
        "celeba",
        module="official.celeba",
        function="CelebA",
        text="faces of celebrities, with attributes that people judged",
        n_images=202_599,
        image_shape=(64, 64, 3),
        factors="40 attributes, no and yes",
        licence="non-commercial research only",
        source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        files=("img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"),
        where="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html (img_align_celeba.zip, 1.4 GB, to "
        "be unpacked)",
    ),
    DatasetEntry(
        "sprites",
        module="official.sprites",
        function="Sprites",
        text="characters of a game, each composed of sheets of sprites",
        n_images=6_174_000,
        image_shape=(64, 64, 3),
        factors="bottomwear 7, topwear 7, hair 10, eyes 5, shoes 3, body 7, action 5, rotation 4, "
        "frame 6",
        licence="CC-BY-SA-3.0 and GPL-3.0",
        source="https://arxiv.org/abs/1803.02991",
        files=("body", "bottomwear", "eyes", "hair", "shoes", "topwear"),
        where="https://github.com/YingzhenLi/Sprites (a clone of it is such a folder)",
    ),
    DatasetEntry(
        "3dident",
        module="official.ident3d",
        function="ThreeDIdent",
        text="a rendered teapot under a coloured spotlight; independent factors of any value",
        n_images=250_000,
        image_shape=(64, 64, 3),
        factors="object_x, object_y, object_z, object_alpha, object_beta, object_gamma, "
        "spotlight_position, object_hue, spotlight_hue, background_hue",
        licence="see its Zenodo record",
        source="https://arxiv.org/abs/2102.08850",
        files=("raw_latents.npy", "images"),
        where="https://zenodo.org/record/4502485 (3dident_train.tar and 3dident_test.tar, to be "
        "unpacked)",
    ),
    DatasetEntry(
        "causal3dident",
        module="official.ident3d",
        function="Causal3DIdent",
        text="seven rendered objects under a coloured spotlight; factors depend on each other",
        n_images=252_000,
        image_shape=(64, 64, 3),
        factors="object_shape 7, object_x, object_y, object_z, object_alpha, object_beta, "
        "object_gamma, spotlight_position, object_hue, spotlight_hue, background_hue",
        licence="see its Zenodo record",
        source="https://arxiv.org/abs/2106.04619",
        files=("raw_latents_0.npy to raw_latents_6.npy", "images_0 to images_6"),
        where="https://zenodo.org/record/4784282 (trainset.tar.gz and testset.tar.gz, to be "
        "unpacked)",
    ),
)

DATASETS: dict[str, DatasetEntry] = {entry.name: entry for entry in (*_ENTRIES, *_FURTHER_ENTRIES)}
"""By name."""
