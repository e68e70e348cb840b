# The metadata stands in pyproject.toml; this serves tools that ask for a setup.py.
from setuptools import setup

setup(name="read_replica")
