"""Where checks and alerts live: `base` is the contract, the other modules keep it."""
