"""Images: those with known factors of variation, and your own."""

from unweave.datasets.catalogue import DATASETS, DatasetEntry
from unweave.datasets.dataset import FactorDataset, GridDataset, ImageDataset
from unweave.datasets.drawn.dsprites import DSprites
from unweave.datasets.drawn.dsprites_variants import (
    AbstractDSprites,
    BackgroundDSprites,
    ColorDSprites,
    NoisyDSprites,
)
from unweave.datasets.drawn.objects3d import Objects3D
from unweave.datasets.drawn.posed import PosedObjects
from unweave.datasets.drawn.rooms import Rooms
from unweave.datasets.drawn.torus import Torus
from unweave.datasets.drawn.xy import XColumns, XYSingleSquare, XYSquares, XYSquaresMinimal
from unweave.datasets.drawn.xyobject import XYObject, XYObjectShaded
from unweave.datasets.factors import Factor, FactorSpace
from unweave.datasets.loading import load, load_split
from unweave.datasets.names import canonical, check_name, with_options
from unweave.datasets.official.s3o4d import S3O4D
from unweave.datasets.own.array_files import from_file
from unweave.datasets.own.arrays import ArrayDataset, as_image_dataset
from unweave.datasets.own.constructors import from_arrays, from_folder, from_torch
from unweave.datasets.own.files import ImageFiles
from unweave.datasets.own.hugging_face import from_huggingface
from unweave.datasets.pairs import Pairs
from unweave.datasets.published_splits import published_splits
from unweave.datasets.splits import SPLITS, Split, split
from unweave.datasets.superposition import FeatureSample, Superposition
from unweave.datasets.symmetries import CyclicShift, Rotations, Symmetry, Translation
from unweave.datasets.table import ImageTable

__all__ = [
    "AbstractDSprites",
    "ArrayDataset",
    "BackgroundDSprites",
    "ColorDSprites",
    "CyclicShift",
    "DATASETS",
    "DSprites",
    "DatasetEntry",
    "Factor",
    "FactorDataset",
    "FactorSpace",
    "FeatureSample",
    "GridDataset",
    "ImageDataset",
    "ImageFiles",
    "ImageTable",
    "NoisyDSprites",
    "Objects3D",
    "Pairs",
    "PosedObjects",
    "Rooms",
    "Rotations",
    "S3O4D",
    "SPLITS",
    "Split",
    "Superposition",
    "Symmetry",
    "Torus",
    "Translation",
    "XColumns",
    "XYObject",
    "XYObjectShaded",
    "XYSingleSquare",
    "XYSquares",
    "XYSquaresMinimal",
    "as_image_dataset",
    "canonical",
    "check_name",
    "from_arrays",
    "from_file",
    "from_folder",
    "from_huggingface",
    "from_torch",
    "load",
    "load_split",
    "published_splits",
    "split",
    "with_options",
]
