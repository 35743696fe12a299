"""InfluxDB 1.x, and the databases that speak its language, as a backend."""
