"""How what a monitor measures gets into its local file and from there to a database, and which of the two is asked."""
