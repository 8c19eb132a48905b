"""What of the sources is left out when their examples are run."""

from importlib.util import find_spec

collect_ignore = []
if find_spec("torchmetrics") is None:
    collect_ignore.append("src/unweave/integrations/torchmetrics.py")
