import pytest

import cslib


@pytest.fixture(scope="session")
def sample(root):
    return cslib.load(root / "data")
