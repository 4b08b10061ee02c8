"""A net for reads from the device: scalars, and shapes that depend on data."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

SYNCS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique")


class CatchSyncs(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__.split(".")[0]
        if name in SYNCS or any(isinstance(a, torch.Tensor) and a.dtype == torch.bool for a in _indices(name, args)):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def _indices(name, args):
    return args[1] if name in ("index", "index_put", "index_put_") else ()
