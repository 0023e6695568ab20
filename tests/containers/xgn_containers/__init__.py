"""Container tests: a private Docker engine, its images, and the molecule scenarios run on it."""
