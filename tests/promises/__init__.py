"""The promises that README.md makes: real processes, treated as badly as the world treats them."""
