"""Tests of the hybrid network. A package, so that its conftest.py and that of the pair beside it do not bear one name."""
