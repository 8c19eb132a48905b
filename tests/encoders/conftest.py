import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def vision():
    """An importable torchvision, which timm and open_clip stand on.

    The wheel beside a CPU build of torch cannot load its compiled operators, and then refuses to be
    imported. Declaring their names is enough for all that is used here; calling one still raises.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        folder = Path(find_spec("torchvision").submodule_search_locations[0])
        text = (folder / "_meta_registrations.py").read_text()
        names = set(re.findall(r'register_fake\("torchvision::(\w+)"\)', text)) | {"nms"}
        names |= set(re.findall(r'register_meta\("(\w+)"\)', text))
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in sorted(names):
            library.define(f"{name}(Tensor boxes) -> Tensor")
        for module in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        import torchvision  # noqa: F401

        yield library
    else:
        yield None
