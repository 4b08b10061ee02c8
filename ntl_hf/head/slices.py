"""Working through the rows of a large tensor a few at a time."""

from torch import Tensor

# Elements that a softmax works on at a time, in float32. On a CPU they are to stay in its cache (4 MiB), which makes a
# pass over them several times faster; elsewhere, starting many small kernels would cost more than it gains.
_CPU_ELEMENTS = 2**20
_ELEMENTS = 2**25


def slices(n: int, size: int) -> list[slice]:
    """`n` rows, `size` of them at a time, at least one."""
    size = max(1, size)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def row_blocks(matrix: Tensor) -> list[slice]:
    """The rows of `[n, V]`, as many at a time as a softmax should work on."""
    elements = _CPU_ELEMENTS if matrix.device.type == "cpu" else _ELEMENTS
    return slices(matrix.shape[0], elements // max(1, matrix.shape[1]))
