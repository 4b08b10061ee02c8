"""Settings of the test run: no network for models, one thread, no progress bars."""

import gc
import os

# Before anything imports transformers, which reads these once.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# DeepSpeed looks for a GPU otherwise, and says so on standard output.
os.environ["DS_ACCELERATOR"] = "cpu"

import torch
from hypothesis import HealthCheck, settings

# Sums in a different order round differently: one thread makes runs comparable, and leaves the cores to xdist.
torch.set_num_threads(1)

# Machines of continuous integration stall now and then; derandomised, a run of the suite tells the same every time.
settings.register_profile(
    "ntl_hf", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ntl_hf")


def pytest_collection_finish() -> None:
    """Take what the libraries have made out of garbage collection.

    At the end of each training, accelerate collects garbage: on half a million objects that stay, that takes longer
    than all the rest of a training of one step.
    """
    gc.collect()
    gc.freeze()
