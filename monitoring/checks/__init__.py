"""One check after the other of every website: when it is due, how it is made, what its answer is worth, what is recorded."""
