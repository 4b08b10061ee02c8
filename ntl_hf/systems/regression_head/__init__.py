"""A scalar head on an encoder-decoder or a decoder, trained by squared error."""
