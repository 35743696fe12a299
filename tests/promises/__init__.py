"""The promises of docs/promises.md: real processes, treated as badly as the world treats them."""
