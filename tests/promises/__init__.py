"""The promises of DESIGN 7: real processes, treated as badly as the world treats them."""
