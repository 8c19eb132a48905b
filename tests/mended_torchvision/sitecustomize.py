"""Lets torchvision be imported where its compiled operators cannot be loaded.

So it is with the wheel beside a CPU build of torch; timm, open_clip, transformers and torchmetrics
import it. That the names of its operators are declared is enough for all that is used in the tests;
calling one still raises. Python runs this file at the start of every process of a test session.
"""

import re
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from pathlib import Path


class MendedTorchvision(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            found = find_spec(name)
            if found is not None:
                self.mend(Path(found.submodule_search_locations[0]))

    def mend(self, folder):
        import torch

        try:
            torch.ops.load_library(str(next(folder.glob("_C*.so"))))
        except (OSError, StopIteration):
            text = (folder / "_meta_registrations.py").read_text()
            names = re.findall(r'register_(?:fake|meta)\("(?:torchvision::)?(\w+)"\)', text)
            # Kept in the class: operators go with what declared them.
            MendedTorchvision.library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in sorted({*names, "nms"}):
                MendedTorchvision.library.define(f"{operator}(Tensor boxes) -> Tensor")


sys.meta_path.insert(0, MendedTorchvision())
