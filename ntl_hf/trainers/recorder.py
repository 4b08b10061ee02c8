"""`ForwardRecorder`: keep what the model returned while a stock trainer makes its loss."""

from typing import Any


class ForwardRecorder:
    """Stands in for the model in a stock method that only calls it, and keeps its first output.

    The first, because it is the one that the loss was made from: where TRL makes a second pass, it is for metrics.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.outputs: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self._model(*args, **kwargs)
        if self.outputs is None:
            self.outputs = outputs
        return outputs
