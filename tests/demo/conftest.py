import pytest

from dualcarbon.demo.city import City, generate


@pytest.fixture(scope="session")
def city() -> City:
    return generate()
