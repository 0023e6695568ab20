"""The modules, each run in this process against a managed host that the test makes up."""
