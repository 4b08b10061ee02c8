"""`ntl-hf quickstart`: the same small decoder trained with CE and with CE + NTL on generated text, side by side."""
